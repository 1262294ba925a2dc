"""The record of mirrors: their publisher, and their generations, each made from one generation of a projection."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row

from outbox.connection import one_value

from ..stores.choice import Chosen

KIND = "mirror"
COLUMNS = "generation, source_generation, state, seeded_to, documents"
ALL = f"SELECT {COLUMNS} FROM mirror_generations WHERE subscriber = %s ORDER BY generation"
ADD_PUBLISHER = """
INSERT INTO publishers (subscriber, kind, partitions, partition_by, from_position) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (subscriber) DO UPDATE SET is_enabled = true
"""
ADD = """
INSERT INTO mirror_generations (subscriber, generation, projection, source_generation, state)
VALUES (%s, (SELECT coalesce(max(generation), 0) + 1 FROM mirror_generations WHERE subscriber = %s), %s, %s, 'building')
RETURNING generation
"""
SEEDED = """
UPDATE mirror_generations SET seeded_to = %s, documents = documents + %s, changed_at = clock_timestamp()
 WHERE subscriber = %s AND generation = %s AND state = 'building'
"""
CHANGE = """
UPDATE mirror_generations SET state = %s, changed_at = clock_timestamp() WHERE subscriber = %s AND generation = %s
"""
FORGET = "DELETE FROM mirror_generations WHERE subscriber = %s AND generation = %s"
# Where a generation of a projection stands; nothing when there is no such generation.
SOURCE_POSITION = """
SELECT coalesce((SELECT to_position FROM checkpoints
                  WHERE subscriber = projection AND checkpoints.generation = source.generation
                  ORDER BY from_position DESC LIMIT 1), 0)
  FROM projection_generations AS source WHERE projection = %s AND generation = %s
"""
LIVE_SOURCE = "SELECT generation FROM projection_generations WHERE projection = %s AND state = 'live'"
POSITION = """
SELECT min(coalesce((SELECT to_position FROM checkpoints
                      WHERE checkpoints.subscriber = publisher.subscriber || ' ' || partition || '/' || partitions
                        AND generation = 1
                      ORDER BY from_position DESC LIMIT 1), from_position))
  FROM publishers AS publisher CROSS JOIN LATERAL generate_series(0, partitions - 1) AS partition
 WHERE publisher.subscriber = %s
"""
DURABLE = "SET LOCAL synchronous_commit = on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One build of a mirror in its store."""

    generation: int
    source_generation: int
    state: str
    seeded_to: int
    documents: int


def generations(connection: psycopg.Connection[Any], subscriber: str) -> Sequence[Generation]:
    """List the generations of a mirror, oldest first."""
    with connection.cursor(row_factory=class_row(Generation)) as cursor:
        return cursor.execute(ALL, [subscriber]).fetchall()


def one_in_state(found: Sequence[Generation], state: str) -> Generation | None:
    """Find the one that is live, or being built."""
    return next((each for each in found if each.state == state), None)


def add_publisher(
    connection: psycopg.Connection[Any], mirror: Chosen, partition_by: str, position: int
) -> None:
    """Register the mirror as a publisher that begins at a position; one that is known stays where it is."""
    connection.execute(ADD_PUBLISHER, [mirror.subscriber, KIND, mirror.partitions, partition_by, position])


def add(connection: psycopg.Connection[Any], mirror: Chosen, source: int) -> int:
    """Record a new generation; from its commit on it is fed."""
    who = [mirror.subscriber, mirror.subscriber, mirror.read_model, source]
    return int(one_value(connection.execute(ADD, who)))


def seeded(
    connection: psycopg.Connection[Any], subscriber: str, generation: int, key: int, documents: int
) -> bool:
    """Record up to which key documents were copied; False when the build was given up."""
    return connection.execute(SEEDED, [key, documents, subscriber, generation]).rowcount == 1


def change(connection: psycopg.Connection[Any], subscriber: str, generation: int, state: str) -> None:
    """Record the new state of a generation."""
    with connection.transaction():
        connection.execute(DURABLE)
        connection.execute(CHANGE, [state, subscriber, generation])


def forget(connection: psycopg.Connection[Any], subscriber: str, generation: int) -> None:
    """Remove one whose documents are deleted."""
    connection.execute(FORGET, [subscriber, generation])


def source_position(connection: psycopg.Connection[Any], projection: str, generation: int) -> int | None:
    """Say where a generation of a projection stands; None when it was dropped."""
    row = connection.execute(SOURCE_POSITION, [projection, generation]).fetchone()
    return None if row is None else int(row[0])


def live_source(connection: psycopg.Connection[Any], projection: str) -> int | None:
    """Say which generation of a projection its view shows."""
    row = connection.execute(LIVE_SOURCE, [projection]).fetchone()
    return None if row is None else int(row[0])


def position(connection: psycopg.Connection[Any], subscriber: str) -> int | None:
    """Say where the slowest lane of a mirror stands; None when it was never built."""
    found: int | None = one_value(connection.execute(POSITION, [subscriber]))
    return found
