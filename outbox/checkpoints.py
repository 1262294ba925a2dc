"""How far each subscriber has come: rows that are only added, and whose insertion is the compare-and-set."""

from collections.abc import Sequence
from typing import Any

import psycopg

from .statements import statement

# A zombie's `from` is no longer the newest position: it gets NULL, which the column refuses. Should two insert at the
# same moment, the primary key refuses the second.
MOVE = statement("checkpoints_move")
SWEEP = statement("checkpoints_sweep")
SWEEP_ATTEMPTS = statement("attempts_sweep")


def move(
    connection: psycopg.Connection[Any],
    members: Sequence[tuple[str, int]],
    from_position: int,
    to_position: int,
) -> None:
    """Move the checkpoints of (subscriber, generation) pairs; fails as `is_stale` tells when one stands elsewhere."""
    subscribers = [subscriber for subscriber, _ in members]
    generations = [generation for _, generation in members]
    psycopg.RawCursor(connection).execute(
        MOVE, [subscribers, generations, from_position, to_position], prepare=True
    )


def is_stale(error: psycopg.Error) -> bool:
    """Tell whether an error says that somebody else has moved the checkpoint."""
    refused = (psycopg.errors.NotNullViolation, psycopg.errors.UniqueViolation)
    return isinstance(error, refused) and error.diag.table_name == "checkpoints"


def sweep(connection: psycopg.Connection[Any], keep_seconds: float = 60.0) -> int:
    """Delete rows that are older and not the newest of their subscriber, and attempts that nobody is to make again.

    A zombie is refused without them too. Returns how many checkpoints went.
    """
    checkpoints = psycopg.RawCursor(connection).execute(SWEEP, [keep_seconds]).rowcount
    psycopg.RawCursor(connection).execute(SWEEP_ATTEMPTS, [keep_seconds])
    return checkpoints
