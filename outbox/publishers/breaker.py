"""The circuit breaker of a subscriber: opened by a call that failed for reasons of the whole, closed by a trial call.

It lives in `delivery_failures`, where every process, `delivery_status` and the admin see the same state. Ready-made
breakers keep theirs in the memory of one process, or in Redis, which delivery must not need.
"""

from enum import StrEnum
from typing import Any

import psycopg

from ..dead_letters import Failure
from ..options import options
from ..statements import statement

TRIP = statement("breaker_trip")
CLAIM_TRIAL = """
UPDATE delivery_failures SET next_attempt_at = clock_timestamp() + make_interval(secs => $2::float8)
 WHERE subscriber = $1::text AND generation = 1 AND next_attempt_at <= clock_timestamp()
"""
RELEASE_TRIAL = """
UPDATE delivery_failures SET next_attempt_at = clock_timestamp() WHERE subscriber = $1::text AND generation = 1
"""
CLOSE = "DELETE FROM delivery_failures WHERE subscriber = $1::text AND generation = 1"


class State(StrEnum):
    """Calls are made when closed, none when open; half-open lets one trial call decide."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


def state_of(failures: int, *, is_put_off: bool) -> State:
    """Name the state of a breaker that so many failures in a row have opened."""
    if not failures:
        return State.CLOSED
    return State.OPEN if is_put_off else State.HALF_OPEN


def claim_trial(connection: psycopg.Connection[Any], subscriber: str, seconds: float) -> bool:
    """Take the one trial call of a half-open breaker; should it die, another may be made after so many seconds."""
    return psycopg.RawCursor(connection).execute(CLAIM_TRIAL, [subscriber, seconds]).rowcount == 1


def release_trial(connection: psycopg.Connection[Any], subscriber: str) -> None:
    """Give back a trial for which there was no event."""
    psycopg.RawCursor(connection).execute(RELEASE_TRIAL, [subscriber])


def trip(
    connection: psycopg.Connection[Any],
    subscriber: str,
    position: int,
    failure: Failure,
    *,
    is_trial: bool,
    pause_seconds: float | None = None,
) -> None:
    """Open the breaker: for the pause that the subscriber asked for, or one that doubles with each failed trial."""
    chosen = options()
    psycopg.RawCursor(connection).execute(
        TRIP,
        [
            subscriber,
            position,
            failure.error_type,
            failure.error_message,
            pause_seconds,
            chosen.publisher_first_pause_seconds,
            chosen.publisher_longest_pause_seconds,
            is_trial,
        ],
    )


def close(connection: psycopg.Connection[Any], subscriber: str) -> None:
    """Close the breaker: the subscriber takes events again."""
    psycopg.RawCursor(connection).execute(CLOSE, [subscriber])
