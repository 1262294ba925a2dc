"""Ways to carry messages that look right and are not."""

# ruff: noqa: D101 – the class's name says what is wrong with it

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from outbox.bound import ScanBound
from outbox.connection import one_value
from outbox.relay import MOVE, Relay
from tests.outbox.guarantees import LogCarrier
from tests.outbox.world import World


class IdentityPoller:
    """Reads the outbox after the last identity that it saw."""

    QUERY = "SELECT message_id, aggregate_id, aggregate_version FROM outbox WHERE message_id > $1 ORDER BY message_id"

    def __init__(self, world: World) -> None:
        self.connection = world.worker()
        self.got: list[tuple[int, int]] = []
        self.last: Any = 0

    def carry(self) -> None:
        for last, aggregate_id, version in psycopg.RawCursor(self.connection).execute(
            self.QUERY, [self.last]
        ):
            self.last = last
            self.got.append((aggregate_id, version))

    def carry_in_steps(self, between: Callable[[], None]) -> None:
        between()
        self.carry()


class OldestTransactionPoller(IdentityPoller):
    """Reads what transactions below the oldest running one have written, ordered by transaction."""

    QUERY = """
    SELECT row(xmin::text::bigint, message_id)::text, aggregate_id, aggregate_version FROM outbox
     WHERE xmin::text::bigint < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
       AND NOT row(xmin::text::bigint, message_id)::text = ANY ($1::text[])
     ORDER BY xmin::text::bigint, message_id
    """

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.last = []

    def carry(self) -> None:
        rows = psycopg.RawCursor(self.connection).execute(self.QUERY, [self.last]).fetchall()
        self.last += [seen for seen, _, _ in rows]
        self.got += [(aggregate_id, version) for _, aggregate_id, version in rows]


class LastRelayedBound(ScanBound):
    """Takes the last relayed identity for the lower bound."""

    def scanned(self, cursor: psycopg.RawCursor[Any], last: int | None = None) -> None:
        self.value = one_value(cursor.execute("SELECT coalesce(max(message_id), 0) FROM event_log"))


class HeedlessBound(ScanBound):
    """Does not ask which transactions still write."""

    def _look(self, cursor: psycopg.RawCursor[Any]) -> None:
        super()._look(cursor)
        self._writers, self._settled = set(), self._candidate


class HastyBound(ScanBound):
    """Takes a batch for all there was."""

    def scanned(self, cursor: psycopg.RawCursor[Any], last: int | None = None) -> None:
        super().scanned(cursor)


class PatientBound(ScanBound):
    """Waits for a scan that comes to the end."""

    def scanned(self, cursor: psycopg.RawCursor[Any], last: int | None = None) -> None:
        if last is None:
            super().scanned(cursor)


class NoBound(ScanBound):
    """Scans from the beginning each time."""

    def scanned(self, cursor: psycopg.RawCursor[Any], last: int | None = None) -> None:
        """Learn nothing."""


class IdentityPositions(Relay):
    """Takes the identity for the position."""

    move = MOVE.replace("head.position + row_number() OVER (ORDER BY message_id)", "message_id")


class SequenceRelay(Relay):
    """Lets several relays work side by side: rows that another has are skipped, positions come from a sequence."""

    try_lock = "SELECT set_config('outbox.relay_is_mine', 'true', true), $1::int"
    move = MOVE.replace(
        "LIMIT (SELECT messages FROM room)", "LIMIT (SELECT messages FROM room) FOR UPDATE SKIP LOCKED"
    ).replace("head.position + row_number() OVER (ORDER BY message_id)", "nextval('mutant_positions')")


class UnlockedRelay(Relay):
    """Takes no lock."""

    try_lock = SequenceRelay.try_lock


class LastRelayedBoundCarrier(LogCarrier):
    bound_class = LastRelayedBound


class HeedlessBoundCarrier(LogCarrier):
    bound_class = HeedlessBound


class HastyBoundCarrier(LogCarrier):
    bound_class = HastyBound


class PatientBoundCarrier(LogCarrier):
    bound_class = PatientBound


class NoBoundCarrier(LogCarrier):
    bound_class = NoBound


class IdentityPositionsCarrier(LogCarrier):
    relay_class = IdentityPositions


class SequenceCarrier(LogCarrier):
    relay_class = SequenceRelay

    def __init__(self, world: World) -> None:
        world.watcher.execute("CREATE SEQUENCE IF NOT EXISTS mutant_positions")
        super().__init__(world)


class UnlockedCarrier(LogCarrier):
    relay_class = UnlockedRelay


class TwoStatementCarrier(LogCarrier):
    """Copies what it sees, then deletes up to the highest identity that it copied."""

    COPY = """
    INSERT INTO event_log
    SELECT (SELECT coalesce(max(position), 0) FROM event_log) + row_number() OVER (ORDER BY message_id), outbox.*
      FROM outbox
    """
    DELETE = "DELETE FROM outbox WHERE message_id <= (SELECT max(message_id) FROM event_log)"

    def statements(self) -> list[tuple[str, list[Any]]]:
        return [(self.COPY, []), (self.DELETE, [])]

    def carry(self) -> None:
        self.carry_in_steps(lambda: None)


@contextmanager
def without_position_key(world: World) -> Iterator[None]:
    """Take the primary key from the log, and put it back when the log is empty again."""
    world.watcher.execute("ALTER TABLE event_log DROP CONSTRAINT event_log_pkey")
    try:
        yield
    finally:
        world.watcher.execute(
            "SET session_replication_role = replica; DELETE FROM event_log; RESET session_replication_role"
        )
        world.watcher.execute("ALTER TABLE event_log ADD PRIMARY KEY (position)")
