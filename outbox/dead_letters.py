"""Dead letters: events that a subscriber could not take in, each with its error, behind which its aggregate is parked.

An open one is `waiting` while it is tried again by itself, with growing pauses, and `parked` once it waits for a
person. Later events of the aggregate stay in the log, in order, until it is settled. The caller owns the transaction.
"""

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from .exceptions import TooManyParked
from .options import options
from .statements import statement

PROJECT = Path(__file__).resolve().parent.parent
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 600.0

UNKNOWN = "OB001"  # raised by outbox_refuse_unknown (migration 0002)

EVENT_AT = """
SELECT position, event_type, schema_version, aggregate_type, aggregate_id, aggregate_version
  FROM event_log WHERE position = $1::bigint
"""
FOLLOWING = """
SELECT position, event_type, schema_version, aggregate_type, aggregate_id, aggregate_version
  FROM event_log
 WHERE aggregate_type = $1::text AND aggregate_id = $2::bigint AND aggregate_version > $3::bigint AND position <= $4
 ORDER BY aggregate_version LIMIT 1
"""
PARK = statement("dead_letters_park")
FAIL_AGAIN = statement("dead_letters_fail_again")
LETTERS = statement("dead_letters")
BEGIN_ATTEMPT = statement("dead_letters_begin_attempt")
DUE_TO_PROJECTIONS = statement("dead_letters_due_to_projections")
MOVE_ON = """
UPDATE dead_letters
   SET position = $2::bigint, event_type = $3::text, schema_version = $4::smallint, aggregate_version = $5::bigint,
       attempts = 1
 WHERE dead_letter_id = $1::bigint
"""
STANDS_AT = """
SELECT FROM dead_letters WHERE dead_letter_id = $1::bigint AND position = $2::bigint AND state IN ('waiting', 'parked')
"""
STEP_OVER = statement("dead_letters_step_over")
SETTLE = """
UPDATE dead_letters SET state = $2::text, next_attempt_at = NULL, settled_at = clock_timestamp()
 WHERE dead_letter_id = $1::bigint
"""


@dataclass(frozen=True, slots=True)
class EventRef:
    """Which event of which aggregate stands at a position."""

    position: int
    event_type: str
    schema_version: int
    aggregate_type: str
    aggregate_id: int
    aggregate_version: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an event could not be taken in; equal fingerprints have, in all likelihood, one cause."""

    error_type: str
    error_message: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """An event that a subscriber could not take in, and what became of it."""

    dead_letter_id: int
    subscriber: str
    generation: int
    event: EventRef
    state: str
    attempts: int
    failure: Failure
    next_attempt_at: datetime | None
    skip_reason: str | None = None


def failure_of(error: BaseException) -> Failure:
    """Describe an error by its type and the place that a note on it names, or the innermost frame of this project.

    Of a database's error only the primary message is kept: the rest quotes rows, which may speak of a person.
    """
    message = str(error)
    if isinstance(error, psycopg.Error):
        message = error.diag.message_primary or message
    where = next(iter(getattr(error, "__notes__", ())), "") or _frame(error)
    name = "UnknownEvent" if getattr(error, "sqlstate", None) == UNKNOWN else type(error).__name__
    return Failure(name, message.partition("\n")[0][:500], f"{name} {where}".strip())


def _frame(error: BaseException) -> str:
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(PROJECT) and ".venv" not in path.parts:
            return f"at {path.relative_to(PROJECT)}:{frame.name}"
    return ""


def park(
    connection: psycopg.Connection[Any], subscriber: str, generation: int, event: EventRef, failure: Failure
) -> str:
    """Open a dead letter for an event's first failure and return its state.

    Raises TooManyParked when the subscriber has as many as the settings allow: then the fault is hardly an event's.
    """
    row = psycopg.RawCursor(connection).execute(
        PARK,
        [
            subscriber,
            generation,
            event.position,
            *_said(failure),
            options().max_attempts,
            FIRST_PAUSE_SECONDS,
            options().most_parked,
        ],
    )
    found = row.fetchone()
    if found is None:
        raise TooManyParked(subscriber=subscriber, allowed=options().most_parked)
    return str(found[0])


def begin_attempt(connection: psycopg.Connection[Any], letter: DeadLetter) -> bool:
    """Count an attempt before it is made, and put off the next; False when another worker was faster.

    Must be committed before the attempt: one that kills the worker counts too.
    """
    parameters = [
        letter.dead_letter_id,
        letter.attempts,
        options().max_attempts,
        FIRST_PAUSE_SECONDS,
        LONGEST_PAUSE_SECONDS,
    ]
    return psycopg.RawCursor(connection).execute(BEGIN_ATTEMPT, parameters).rowcount == 1


def fail_again(
    connection: psycopg.Connection[Any],
    letter: DeadLetter,
    event: EventRef,
    failure: Failure,
    next_attempt_seconds: float | None = None,
) -> str:
    """Note a further failure of a letter's aggregate and return the letter's state.

    `letter` is as it was read before the attempt: that attempt counts once, whether it was begun with `begin_attempt`
    or not. When the failing event is a later one, the letter moves to it and its attempts start anew; a letter that
    another worker has moved past the event, or settled, stays, and the answer is `moved on`. The pause doubles from
    FIRST_PAUSE_SECONDS, less up to half by chance, unless the caller knows better.
    """
    row = psycopg.RawCursor(connection).execute(
        FAIL_AGAIN,
        [
            letter.dead_letter_id,
            event.position,
            *_said(failure),
            letter.attempts + 1 if event.position == letter.event.position else 1,
            options().max_attempts,
            FIRST_PAUSE_SECONDS,
            LONGEST_PAUSE_SECONDS,
            next_attempt_seconds,
        ],
    )
    found = row.fetchone()
    return str(found[0]) if found else "moved on"


def _said(failure: Failure) -> tuple[str, str, str]:
    return failure.error_type, failure.error_message, failure.fingerprint


def event_at(connection: psycopg.Connection[Any], position: int) -> EventRef:
    """Say which event stands at a position of the log."""
    row = psycopg.RawCursor(connection).execute(EVENT_AT, [position]).fetchone()
    assert row is not None
    return EventRef(*row)


def stands_at(connection: psycopg.Connection[Any], letter: DeadLetter, event: EventRef) -> bool:
    """Tell whether a letter is open and stands for this event still; ask under the lock that its movers hold."""
    return (
        psycopg.RawCursor(connection).execute(STANDS_AT, [letter.dead_letter_id, event.position]).rowcount
        == 1
    )


def following(connection: psycopg.Connection[Any], event: EventRef, up_to: int) -> EventRef | None:
    """Find the next event of the same aggregate that stands at a position up to `up_to`."""
    parameters = [event.aggregate_type, event.aggregate_id, event.aggregate_version, up_to]
    row = psycopg.RawCursor(connection).execute(FOLLOWING, parameters).fetchone()
    return EventRef(*row) if row else None


def move_on(connection: psycopg.Connection[Any], letter: DeadLetter, event: EventRef) -> None:
    """Let a letter stand for the next event of its aggregate, as its own was delivered."""
    parameters = [letter.dead_letter_id, event.position, event.event_type, event.schema_version]
    psycopg.RawCursor(connection).execute(MOVE_ON, [*parameters, event.aggregate_version])


def settle(connection: psycopg.Connection[Any], letter: DeadLetter, state: str) -> None:
    """Close a letter as `delivered` or `skipped`; its aggregate is parked no longer."""
    psycopg.RawCursor(connection).execute(SETTLE, [letter.dead_letter_id, state])


def step_over(connection: psycopg.Connection[Any], letter: DeadLetter, following: EventRef | None) -> None:
    """Close a letter that an operator skipped, and open one, due at once, for the event that waits behind it.

    Only whoever moves the subscriber's checkpoint may do so: else an event could come in between that nobody parks.
    """
    settle(connection, letter, "skipped")
    if following:
        where = [letter.subscriber, letter.generation, following.position]
        psycopg.RawCursor(connection).execute(STEP_OVER, where)


def open_letters(
    connection: psycopg.Connection[Any], subscriber: str, generation: int
) -> Sequence[DeadLetter]:
    """List a subscriber's open letters, the oldest position first."""
    return _letters(connection, subscriber, generation, only_due=False)


def due_letters(
    connection: psycopg.Connection[Any], subscriber: str, generation: int
) -> Sequence[DeadLetter]:
    """List the letters whose next attempt is due, the oldest position first."""
    return _letters(connection, subscriber, generation, only_due=True)


def due_to_projections(connection: psycopg.Connection[Any]) -> Sequence[DeadLetter]:
    """List the letters of projections whose next attempt is due, but for those that are paused or not yet there."""
    cursor = psycopg.RawCursor(connection).execute(DUE_TO_PROJECTIONS, prepare=True)
    return [_letter(row) for row in cursor]


def _letters(
    connection: psycopg.Connection[Any], subscriber: str, generation: int, *, only_due: bool
) -> list[DeadLetter]:
    cursor = psycopg.RawCursor(connection).execute(LETTERS, [subscriber, generation, only_due])
    return [_letter(row) for row in cursor]


def _letter(row: tuple[Any, ...]) -> DeadLetter:
    dead_letter_id, subscriber, generation, state, attempts, next_attempt_at = row[:6]
    return DeadLetter(
        dead_letter_id=dead_letter_id,
        subscriber=subscriber,
        generation=generation,
        event=EventRef(*row[6:12]),
        state=state,
        attempts=attempts,
        failure=Failure(*row[12:15]),
        next_attempt_at=next_attempt_at,
        skip_reason=row[15],
    )
