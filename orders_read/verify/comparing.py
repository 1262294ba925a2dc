"""Find the rows in which two tables of the same shape differ, in any column but `row_version`.

That one may be newer in the live table: a retry or a repair raises it, so that whoever has seen the row looks again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

MOST_SHOWN = 20

COLUMNS = """
SELECT attname, attnum = ANY (coalesce(key.indkey, ''::int2vector)) FROM pg_attribute
  LEFT JOIN pg_index AS key ON key.indrelid = attrelid AND key.indisprimary
 WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
DIFFER = """
SELECT jsonb_build_array({key}), to_jsonb(live), to_jsonb(fresh)
  FROM (SELECT * FROM {live} WHERE {where}) AS live FULL JOIN {fresh} AS fresh USING ({key})
 WHERE live.row_version IS NULL OR fresh.row_version IS NULL
    OR ({live_values}) IS DISTINCT FROM ({fresh_values})
 ORDER BY {key}
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that differs: table, key, what is there and what should be, as JSON; None where there is no row."""

    table: str
    key: tuple[Any, ...]
    live: dict[str, Any] | None
    fresh: dict[str, Any] | None

    @property
    def columns(self) -> dict[str, tuple[Any, Any]]:
        """Name the columns that differ, with what is there and what should be."""
        live, fresh = self.live or {}, self.fresh or {}
        names = {*live, *fresh} - {"row_version"}
        return {
            name: (live.get(name), fresh.get(name))
            for name in sorted(names)
            if live.get(name) != fresh.get(name)
        }


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns of a table: those of its primary key, and the others but `row_version`."""

    key: tuple[str, ...]
    values: tuple[str, ...]


def shape_of(connection: psycopg.Connection[Any], table: str) -> Shape:
    """Read the columns of a table from the catalogue."""
    columns = connection.execute(COLUMNS, [table]).fetchall()
    key = tuple(name for name, is_key in columns if is_key)
    return Shape(key, tuple(name for name, is_key in columns if not is_key and name != "row_version"))


def differences(
    connection: psycopg.Connection[Any],
    name: str,
    live: str,
    fresh: str,
    keys: Sequence[int] | None = None,
) -> Sequence[Difference]:
    """List the rows in which two tables differ; `name` is the read model's table without a generation.

    Reads both tables whole, in the caller's snapshot; of the live one only the rows with `keys`, where they are given.
    """
    shape = shape_of(connection, live)
    where: sql.Composable = sql.SQL("true")
    if keys is not None:
        where = sql.SQL("{} = ANY ({})").format(sql.Identifier(*shape.key), sql.Literal(list(keys)))
    statement = sql.SQL(DIFFER).format(
        key=_list(shape.key),
        live=sql.Identifier(live),
        where=where,
        fresh=sql.Identifier(fresh),
        live_values=_list(shape.values, "live"),
        fresh_values=_list(shape.values, "fresh"),
    )
    return [Difference(name, tuple(key), *rows) for key, *rows in connection.execute(statement)]


def _list(names: Sequence[str], table: str | None = None) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.Identifier(table, name) if table else sql.Identifier(name) for name in names
    )
