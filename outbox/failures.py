"""Why a generation is not fed with the others: it failed, and is tried by itself, with growing pauses."""

from dataclasses import dataclass
from typing import Any

import psycopg

from .dead_letters import Failure
from .folds import GenerationKey
from .statements import statement

HAND_OVER = """
INSERT INTO delivery_failures
       (subscriber, generation, from_position, to_position, attempts, error_type, error_message, next_attempt_at)
VALUES ($1::text, $2::int, $3::bigint, $4::bigint, 1, $5::text, $6::text, clock_timestamp())
ON CONFLICT DO NOTHING
"""
BEGIN = """
UPDATE delivery_failures SET next_attempt_at = clock_timestamp()
 WHERE subscriber = $1::text AND generation = $2::int
"""
PUT_OFF = statement("failures_put_off")
FORGET = "DELETE FROM delivery_failures WHERE subscriber = $1::text AND generation = $2::int"
DUE = statement("failures_due")

# What says nothing about an event: connections, deadlocks, full disks, locks that were waited for, shutdowns.
TRANSIENT_CLASSES = ("08", "40", "53", "58")
TRANSIENT_STATES = ("55P03", "57P01", "57P02", "57P03", "57P05")


@dataclass(frozen=True, slots=True)
class Patient:
    """A generation that failed at a range which ends at `to_position`."""

    projection: str
    generation: int
    to_position: int


def is_transient(error: psycopg.Error) -> bool:
    """Tell whether the same events may well be folded a little later."""
    state = error.sqlstate or "08000"
    return state[:2] in TRANSIENT_CLASSES or state in TRANSIENT_STATES


def hand_over(
    connection: psycopg.Connection[Any],
    key: GenerationKey,
    from_position: int,
    to_position: int,
    failure: Failure,
) -> None:
    """Take a generation out of the common rounds: from now on it is fed by itself."""
    parameters = [key.projection, key.generation, from_position, to_position]
    psycopg.RawCursor(connection).execute(HAND_OVER, [*parameters, failure.error_type, failure.error_message])


def begin(connection: psycopg.Connection[Any], projection: str, generation: int) -> None:
    """Let the others come first should this one cut the connection."""
    psycopg.RawCursor(connection).execute(BEGIN, [projection, generation])


def put_off(
    connection: psycopg.Connection[Any], projection: str, generation: int, position: int, failure: Failure
) -> None:
    """Count an attempt that failed by itself, and put off the next."""
    parameters = [projection, generation, position, failure.error_type, failure.error_message]
    psycopg.RawCursor(connection).execute(PUT_OFF, parameters)


def forget(connection: psycopg.Connection[Any], projection: str, generation: int) -> None:
    """Let a generation be fed with the others again; within the transaction that moves it past its failure."""
    psycopg.RawCursor(connection).execute(FORGET, [projection, generation])


def due(connection: psycopg.Connection[Any]) -> list[Patient]:
    """List the generations that failed and whose next attempt is due."""
    return [Patient(*row) for row in psycopg.RawCursor(connection).execute(DUE, prepare=True)]
