"""Marks of attempts, committed before events are handed over: one that kills the process is known to the next.

The commit is synchronous. It comes after the events were read, so whatever they were read from is on disk as well
before anybody outside hears of them: publishers use flushed positions only.
"""

from typing import Any
from uuid import UUID

import psycopg

from .lanes import Lane

MARK = """
INSERT INTO delivery_attempts (members, from_position, to_position, owner)
VALUES (ARRAY[$1::text], $2::bigint, $3::bigint, $4::uuid)
"""
LEFT = (
    "SELECT to_position FROM delivery_attempts WHERE members = ARRAY[$1::text] AND from_position = $2::bigint"
)
REMOVE = "DELETE FROM delivery_attempts WHERE members = ARRAY[$1::text] AND from_position = $2::bigint"
REMOVE_OF_OWNER = "DELETE FROM delivery_attempts WHERE owner = $1::uuid"


def mark(
    connection: psycopg.Connection[Any], lane: Lane, from_position: int, to_position: int, owner: UUID
) -> None:
    """Commit that the events after a position, up to another, are about to be handed over."""
    with connection.transaction():
        connection.execute("SET LOCAL synchronous_commit = on")
        parameters = [lane.name, from_position, to_position, owner]
        psycopg.RawCursor(connection).execute(MARK, parameters, prepare=True)


def left_behind(connection: psycopg.Connection[Any], lane: Lane, from_position: int) -> list[int]:
    """Say where the attempts from a position ended that their owners did not live to see.

    The caller holds the lane and has no attempt under way, so each one found is of somebody dead.
    """
    cursor = psycopg.RawCursor(connection).execute(LEFT, [lane.name, from_position], prepare=True)
    return [to_position for (to_position,) in cursor]


def remove(connection: psycopg.Connection[Any], lane: Lane, from_position: int) -> None:
    """Forget the attempts from a position; within the transaction that records what came of the last one."""
    psycopg.RawCursor(connection).execute(REMOVE, [lane.name, from_position])


def remove_of(connection: psycopg.Connection[Any], owner: UUID) -> None:
    """Forget the attempts of a process that ends because it was told to."""
    psycopg.RawCursor(connection).execute(REMOVE_OF_OWNER, [owner])
