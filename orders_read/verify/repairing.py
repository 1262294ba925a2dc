"""Give rows of a live generation the values of its shadow; both must stand at one position, and be held there."""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from outbox.subscribers import table_name

from .comparing import Difference, shape_of

# Compared once more: the difference may be older than the transaction that mends it.
REMOVE = """
DELETE FROM {live} AS live WHERE ({key}) = ({values})
   AND NOT EXISTS (SELECT FROM {fresh} AS fresh WHERE ({fresh_key}) = ({values}))
"""
WRITE = """
INSERT INTO {live} ({columns}, row_version)
SELECT {columns}, greatest(fresh.row_version, %(position)s) FROM {fresh} AS fresh WHERE ({key}) = ({values})
ON CONFLICT ({key}) DO UPDATE SET ({columns}, row_version) = ROW ({excluded}, excluded.row_version)
"""


def repair(
    connection: psycopg.Connection[Any],
    found: Sequence[Difference],
    live: int,
    shadow: int,
    position: int,
) -> int:
    """Write or remove each row that was found, in the caller's transaction; return how many.

    The rows get the position as their version, so that whoever has seen the old values looks again.
    """
    return sum(_mend(connection, one, live, shadow, position) for one in found)


def _mend(connection: psycopg.Connection[Any], one: Difference, live: int, shadow: int, position: int) -> int:
    target = table_name(one.table, live)
    shape = shape_of(connection, target)
    columns = [*shape.key, *shape.values]
    parts = {
        "live": sql.Identifier(target),
        "fresh": sql.Identifier(table_name(one.table, shadow)),
        "key": _join(map(sql.Identifier, shape.key)),
        "fresh_key": _join(sql.Identifier("fresh", name) for name in shape.key),
        "values": _join(sql.Literal(value) for value in one.key),
        "columns": _join(map(sql.Identifier, columns)),
        "excluded": _join(sql.Identifier("excluded", name) for name in columns),
    }
    removed = connection.execute(sql.SQL(REMOVE).format(**parts)).rowcount
    written = connection.execute(sql.SQL(WRITE).format(**parts), {"position": position}).rowcount
    return removed + written


def _join(parts: Any) -> sql.Composed:
    joined: sql.Composed = sql.SQL(", ").join(parts)
    return joined
