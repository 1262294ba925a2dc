"""Fold some aggregates afresh and compare their rows: for tables in which a row tells of one aggregate alone."""

from collections.abc import Sequence
from typing import Any

import psycopg

from outbox.folds import over_aggregates
from outbox.subscribers import Table, table_name

from .comparing import Difference, differences

FRESH = "fresh_rows"
SAMPLE = """
SELECT DISTINCT aggregate_id FROM event_log
 WHERE aggregate_type = %(aggregate_type)s AND position = ANY (
       SELECT 1 + floor(random() * (SELECT max(position) FROM event_log))::bigint
         FROM generate_series(1, %(count)s * 4))
 LIMIT %(count)s
"""
SINCE = "SELECT DISTINCT aggregate_id FROM event_log WHERE aggregate_type = %s AND position > %s"
STANDING = """
SELECT fed.statements -> %(number)s ->> 'sql',
       coalesce((SELECT to_position FROM checkpoints
                  WHERE subscriber = fed.projection AND generation = fed.generation
                  ORDER BY from_position DESC LIMIT 1), 0)
  FROM projection_generations AS fed WHERE projection = %(projection)s AND generation = %(generation)s
"""


def random_aggregates(connection: psycopg.Connection[Any], table: Table, count: int) -> list[int]:
    """Choose about so many aggregates of a table by chance: those of events at random positions."""
    wanted = {"aggregate_type": table.aggregate_type, "count": count}
    return [found for (found,) in connection.execute(SAMPLE, wanted)]


def aggregates_since(connection: psycopg.Connection[Any], table: Table, position: int) -> list[int]:
    """List the aggregates of a table to which something happened after a position."""
    return [found for (found,) in connection.execute(SINCE, [table.aggregate_type, position])]


def sample_differs(
    connection: psycopg.Connection[Any],
    projection: str,
    generation: int,
    table: Table,
    number: int,
    aggregates: Sequence[int],
) -> Sequence[Difference]:
    """Compare the rows of some aggregates with a fresh fold of all their events up to the generation's checkpoint.

    `number` is the table's place among those of its projection. Runs in a snapshot of its own, and leaves nothing.
    """
    live = table_name(table.name, generation)
    with connection.transaction(force_rollback=True):
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        wanted = {"projection": projection, "generation": generation, "number": number}
        text, position = connection.execute(STANDING, wanted).fetchone() or ("", 0)
        connection.execute(f'CREATE TEMPORARY TABLE {FRESH} (LIKE "{live}" INCLUDING ALL)')
        fold = over_aggregates(text, FRESH, generation)
        who = [projection, generation, table.aggregate_type, list(aggregates), position]
        psycopg.RawCursor(connection).execute(fold, who)
        return differences(connection, table.name, live, FRESH, keys=aggregates)
