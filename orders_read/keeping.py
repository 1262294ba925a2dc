"""Chores of the read side: verify a little at a time, and drop generations that are kept no longer."""

import logging
import time
from collections.abc import Callable
from typing import Any

import psycopg

from outbox import actions
from outbox.connection import one_value

from .generations import drop_generation
from .rebuild.alone import alone
from .rebuild.exceptions import RebuildAtWork
from .rebuild.swapping import expired
from .verify.run import continue_verifying

ACTOR = "worker:keeping"

# Nineteen times as long as a slice took, nobody takes the next one: a duty of a twentieth, for all workers together.
PAUSE_PER_SECOND = 19
IS_DUE = """
SELECT coalesce(max(finished_at + make_interval(secs => seconds * $1)) <= clock_timestamp(), true)
  FROM verification_slices
"""
NOTE = """
INSERT INTO verification_slices (is_last, finished_at, seconds) VALUES (true, clock_timestamp(), $1)
ON CONFLICT (is_last) DO UPDATE SET finished_at = excluded.finished_at, seconds = excluded.seconds
"""

logger = logging.getLogger(__name__)


def verify_slowly(connection: psycopg.Connection[Any], is_stopping: Callable[[], bool]) -> int:
    """Verify for a slice, unless the last one was not long enough ago; return how many rows differ."""
    if not one_value(psycopg.RawCursor(connection).execute(IS_DUE, [PAUSE_PER_SECOND])):
        return 0
    began = time.monotonic()
    try:
        return continue_verifying(connection, is_stopping)
    finally:  # a slice that failed has cost as much
        if not connection.closed:
            psycopg.RawCursor(connection).execute(NOTE, [time.monotonic() - began])


def drop_expired(connection: psycopg.Connection[Any], is_stopping: Callable[[], bool]) -> int:
    """Drop the kept generations whose time is over; return how many.

    One that is still read, or whose projection is being rebuilt or rolled back, has its turn the next time.
    """
    dropped = 0
    for projection, generation in expired(connection):
        if is_stopping():
            break
        try:
            with alone(connection, projection):
                dropped += _drop(connection, projection, generation)
        except RebuildAtWork:
            continue
        except psycopg.errors.LockNotAvailable:
            logger.info("generation %d of %s is still read; it is dropped later", generation, projection)
    return dropped


def _drop(connection: psycopg.Connection[Any], projection: str, generation: int) -> bool:
    if (projection, generation) not in expired(connection):
        return False  # it was shown again before we were alone
    drop_generation(connection, projection, generation)
    actions.record(connection, ACTOR, "drop_generation", projection, generation=generation)
    return True
