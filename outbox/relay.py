"""Move committed messages from the outbox to the event log, giving each the next position; one relay at a time.

Numbering after commit is what makes the order right and the positions dense: see docs/adr and DESIGN §1.
"""

import time
from dataclasses import dataclass
from typing import Any

import psycopg

from . import partitions
from .bound import ScanBound
from .connection import one_value, pipelined_transaction
from .options import options
from .statements import statement

RELAY_LOCK = 0x6F757462  # "outb"; the second key is 0

# The lock in a statement of its own: the next one's snapshot is then later than the last relay's commit.
# Plans are kept, and one made for an empty outbox must not read all of a full one.
TRY_LOCK = """
SELECT set_config('outbox.relay_is_mine', pg_try_advisory_xact_lock($1::int, 0)::text, true),
       set_config('enable_seqscan', 'off', true)
"""
LOCK = "SELECT pg_advisory_xact_lock($1::int, 0)"
MOVE = statement("relay_move")
HEAD = "SELECT coalesce(max(position), 0) FROM event_log"

# Whoever makes room holds the relay's lock: should the log's be taken, all would wait. There is room left, so it is
# tried again a little later.
ROOM_TIMEOUT = "SET LOCAL lock_timeout = '100ms'"
ROOM_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Moved:
    """What one run of the relay did; `is_mine` is false when another relay was at work."""

    messages: int
    is_mine: bool
    is_complete: bool


class Relay:
    """A relay with its memory: where to scan from, and how far the log has partitions."""

    try_lock = TRY_LOCK
    move = MOVE

    def __init__(self, batch_size: int | None = None, bound: ScanBound | None = None) -> None:
        self.batch_size = batch_size or options().relay_batch_size
        self.partition_size = options().partition_size
        self.bound = bound or ScanBound()
        self._last_position: int | None = None
        self._room_at = 0.0

    def run_once(self, connection: psycopg.Connection[Any]) -> int:
        """Move up to a batch of messages and say how many; 0 also when another relay is at work."""
        return self.run(connection).messages

    def run(self, connection: psycopg.Connection[Any]) -> Moved:
        """Move up to a batch of messages in a transaction of its own, committed synchronously."""
        if self._last_position is None:
            self._last_position = self._make_room(connection, 0)
        moved, head, last = self._move(connection, self._last_position)
        if moved.is_complete or moved.messages:
            self.bound.scanned(psycopg.RawCursor(connection), None if moved.is_complete else last)
        if self._last_position - head < self.partition_size and time.monotonic() >= self._room_at:
            known, self._last_position = self._last_position, self._make_room(connection, head)
            found_none = moved.is_mine and not moved.is_complete and not moved.messages
            if found_none and self._last_position > known:
                return self.run(connection)  # another relay had used up the room that this one knew of
        return moved

    def _move(self, connection: psycopg.Connection[Any], last_position: int) -> tuple[Moved, int, int]:
        """Move a batch; answers with the head of the log and the last identity that was moved."""
        with pipelined_transaction(connection):
            lock = psycopg.RawCursor(connection).execute(self.try_lock, [RELAY_LOCK], prepare=True)
            move = psycopg.RawCursor(connection).execute(
                self.move, [self.bound.value, self.batch_size, last_position], prepare=True
            )
        is_mine = one_value(lock) == "true"
        messages, head, room, last = move.fetchone() or (0, 0, 0, 0)
        return Moved(messages, is_mine, is_mine and messages < room), head, last

    def _make_room(self, connection: psycopg.Connection[Any], head: int) -> int:
        """See to it that the log has a whole partition ahead of its head; say where its partitions end."""
        try:
            with connection.transaction(), psycopg.RawCursor(connection) as cursor:
                cursor.execute(ROOM_TIMEOUT)
                cursor.execute(LOCK, [RELAY_LOCK])
                head = max(head, one_value(cursor.execute(HEAD)))
                last = partitions.last_position(cursor)
                while last - head < self.partition_size:
                    last = partitions.make_next(cursor, self.partition_size)
        except psycopg.errors.LockNotAvailable:
            self._room_at = time.monotonic() + ROOM_PAUSE_SECONDS
            return partitions.last_position(psycopg.RawCursor(connection))
        return last
