"""Relays that make room in the log in ways that look right and are not."""

import psycopg

from outbox import partitions
from outbox.relay import Relay


class LateRelay(Relay):
    """Makes room only when there is none left."""

    def _make_room(self, connection: psycopg.Connection[object], head: int) -> int:
        self.partition_size, size = 1, self.partition_size
        try:
            with connection.transaction(), psycopg.RawCursor(connection) as cursor:
                last = partitions.last_position(cursor)
                return last if last > head else partitions.make_next(cursor, size)
        finally:
            self.partition_size = size


class WaitingRelay(Relay):
    """Makes partitions as the manual's first example does."""

    def _make_room(self, connection: psycopg.Connection[object], head: int) -> int:
        with psycopg.RawCursor(connection) as cursor:
            last = partitions.last_position(cursor)
            while last - head < self.partition_size:
                first, last = last + 1, last + self.partition_size
                cursor.execute(
                    f"CREATE TABLE event_log_p{first} PARTITION OF event_log FOR VALUES FROM ({first}) TO ({last + 1})"
                )
        return last


class PatientRelay(Relay):
    """Waits for whatever holds the log, with the relay's lock in its hand."""

    def _make_room(self, connection: psycopg.Connection[object], head: int) -> int:
        with connection.transaction(), psycopg.RawCursor(connection) as cursor:
            last = partitions.last_position(cursor)
            while last - head < self.partition_size:
                last = partitions.make_next(cursor, self.partition_size)
        return last
