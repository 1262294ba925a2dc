"""Lanes: the partitions of each publisher, where they stand, and the session lock that one worker at a time holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from ..connection import one_value
from ..statements import statement

LANES = statement("publisher_lanes")
TRY_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('publisher ' || $1::text, 0))"

# A checkpoint is moved under the shared lock, and set back under the other: it cannot be moved from where it was.
SHARE = "SELECT pg_advisory_xact_lock_shared(hashtextextended('checkpoints of ' || $1::text, 0))"
HOLD = "SELECT pg_advisory_xact_lock(hashtextextended('checkpoints of ' || $1::text, 0))"
BEGIN = """
INSERT INTO checkpoints (subscriber, generation, from_position, to_position)
SELECT $2::text, 1, 0, from_position FROM publishers WHERE subscriber = $1::text AND from_position > 0
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Lane:
    """One partition of a publisher; partitions count from 0."""

    subscriber: str
    kind: str
    partition: int
    partitions: int

    @property
    def name(self) -> str:
        """Name the lane as checkpoints do."""
        return f"{self.subscriber} {self.partition}/{self.partitions}"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a lane stands: its checkpoint, the log's head, its subscriber's breaker, and whether a dead letter is due."""

    lane: Lane
    checkpoint: int
    is_new: bool
    head: int
    failures: int
    is_put_off: bool
    has_due_letters: bool

    @property
    def has_work(self) -> bool:
        """Tell whether something can be done now."""
        return not self.is_put_off and (self.checkpoint < self.head or self.has_due_letters)


def standings(connection: psycopg.Connection[Any], subscriber: str | None = None) -> Sequence[Standing]:
    """Look at the lanes of all publishers, or of one, that are enabled and not paused."""
    rows = psycopg.RawCursor(connection).execute(LANES, [subscriber], prepare=True)
    return [Standing(Lane(*row[:4]), *row[4:]) for row in rows]


def standing(connection: psycopg.Connection[Any], lane: Lane) -> Standing | None:
    """Look at one lane; None when it is not to be served now."""
    return next((each for each in standings(connection, lane.subscriber) if each.lane == lane), None)


def try_lock(connection: psycopg.Connection[Any], lane: Lane) -> bool:
    """Take the lane for as long as the connection lives."""
    return bool(one_value(psycopg.RawCursor(connection).execute(TRY_LOCK, [lane.name])))


def share(connection: psycopg.Connection[Any], subscriber: str) -> None:
    """Keep the subscriber's checkpoints from being set back until the caller's transaction ends."""
    psycopg.RawCursor(connection).execute(SHARE, [subscriber])


def hold(connection: psycopg.Connection[Any], subscriber: str) -> None:
    """Keep the subscriber's checkpoints from being moved until the caller's transaction ends."""
    psycopg.RawCursor(connection).execute(HOLD, [subscriber])


def begin(connection: psycopg.Connection[Any], lane: Lane) -> None:
    """Set the first checkpoint of a lane to where its subscriber begins."""
    psycopg.RawCursor(connection).execute(BEGIN, [lane.subscriber, lane.name])
