"""Why a subscriber stands still: counted, put off with growing pauses, and forgotten at its next success."""

from typing import Any

import psycopg

from .statements import statement

RECORD = statement("failures_record")
FORGET = "DELETE FROM delivery_failures WHERE subscriber = $1::text AND generation = $2::int"


def record(
    connection: psycopg.Connection[Any],
    subscriber: str,
    generation: int,
    from_position: int,
    error: psycopg.Error,
) -> None:
    """Count a failed attempt; the message leaves out the row's values, which may speak of a person."""
    message = error.diag.message_primary or str(error).partition("\n")[0]
    parameters = [subscriber, generation, from_position, type(error).__name__, message]
    psycopg.RawCursor(connection).execute(RECORD, parameters)


def forget(connection: psycopg.Connection[Any], subscriber: str, generation: int) -> None:
    """Remove the failure of a subscriber that has moved on; within the transaction that moves it."""
    psycopg.RawCursor(connection).execute(FORGET, [subscriber, generation])
