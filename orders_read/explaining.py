"""Replay what made one row of a read model, event by event, in a transaction that is rolled back.

Where a row tells of one aggregate alone, its events are replayed. Elsewhere the whole log is folded into scratch
tables, and each range in which the row changed is halved until one event is left: `row_version` betrays every touch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from outbox.connection import connect, one_value
from outbox.folding import settle_down
from outbox.folds import Fold, executable
from outbox.options import options
from outbox.retention import require_whole_log
from outbox.subscribers import Projection, Table, projections, table_name

SCRATCH = 0  # no generation has this number; its tables are temporary, and hide no other

STANDING = """
SELECT generation, statements,
       coalesce((SELECT to_position FROM checkpoints
                  WHERE subscriber = projection AND checkpoints.generation = live.generation
                  ORDER BY from_position DESC LIMIT 1), 0)
  FROM projection_generations AS live WHERE projection = %s AND state = 'live'
"""
KEY = """
SELECT attname, format_type(atttypid, atttypmod) FROM pg_index JOIN pg_attribute ON attrelid = indrelid
 WHERE indrelid = to_regclass(%s) AND indisprimary AND attnum = ANY (indkey) ORDER BY array_position(indkey, attnum)
"""
OF_AGGREGATE = """
SELECT position FROM event_log WHERE aggregate_type = %s AND aggregate_id = %s AND position <= %s ORDER BY 1
"""
EVENT = """
SELECT position, event_type, occurred_at, coalesce(metadata ->> 'actor', ''), aggregate_type, aggregate_id,
       aggregate_version
  FROM event_log WHERE position = %s
"""

Row = dict[str, Any] | None


class ExplainError(Exception):
    """A row cannot be explained."""


@dataclass(frozen=True, slots=True)
class Step:
    """One event, and what it changed: each column, or member of a document, with its values before and after."""

    position: int
    event_type: str
    occurred_at: datetime
    actor: str
    aggregate: str
    changes: dict[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What made a row, what it should be by that, and what it is."""

    steps: Sequence[Step]
    replayed: Row
    live: Row

    @property
    def differences(self) -> dict[str, tuple[Any, Any]]:
        """Name the columns in which the live row differs, with what should be and what is."""
        return changes(self.replayed, self.live)


def explain(name: str, key: Sequence[str], last: int | None = None) -> Explanation:
    """Replay one row of a table, named without generation; leaves nothing behind.

    `last` limits the steps to the newest. Raises ExplainError and LogIsPruned.
    """
    projection, number = _found(name)
    with connect(f"explain {name}"[:63]) as connection:
        connection.execute("SET statement_timeout = 0")
        require_whole_log(connection)
        with connection.transaction(force_rollback=True):
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            replay = _Replay(connection, projection, number, key)
            steps = replay.of_aggregate(last) if replay.table.aggregate_type else replay.of_log(last)
            return Explanation(steps, replay.row(), replay.live_row())


def changes(before: Row, after: Row) -> dict[str, tuple[Any, Any]]:
    """Name what differs between two rows, `row_version` aside; of documents, the members."""
    one, other = _flat(before), _flat(after)
    return {
        name: (one.get(name), other.get(name))
        for name in [*one, *(name for name in other if name not in one)]
        if name != "row_version" and one.get(name) != other.get(name)
    }


class _Replay:
    """Scratch tables of one projection, and the row that is looked at."""

    def __init__(
        self, connection: psycopg.Connection[Any], projection: Projection, number: int, key: Sequence[str]
    ) -> None:
        self.connection = connection
        self.projection = projection
        self.table: Table = projection.tables[number]
        row = connection.execute(STANDING, [projection.name]).fetchone()
        if row is None:
            raise ExplainError(f"{projection.name} has no live generation.")
        self.generation, statements, self.position = row
        self.folds = [self._scratch(stored) for stored in statements]
        self.fold = self.folds[number]
        self._where = self._condition(key)
        self.key = key

    def of_aggregate(self, last: int | None) -> list[Step]:
        """Replay the events of the row's aggregate."""
        found = self.connection.execute(
            OF_AGGREGATE, [self.table.aggregate_type, self.key[0], self.position]
        ).fetchall()
        steps: list[Step] = []
        for (position,) in found:
            before = self.row()
            self._fold(position - 1, position, [self.fold])
            steps.append(self._step(position, before, self.row()))
        return steps[-last:] if last else steps

    def of_log(self, last: int | None) -> list[Step]:
        """Fold the log, and find the events that touched the row; leaves the tables as they are at its end."""
        steps: list[Step] = []
        self.connection.execute("SAVEPOINT start")
        self._search(0, self.position, last or self.position, steps)
        self.connection.execute("ROLLBACK TO start")
        self._fold(0, self.position, self.folds)
        return steps[::-1]

    def _search(self, start: int, end: int, wanted: int, steps: list[Step]) -> None:
        """Find the newest events after `start`, where the tables stand, that touched the row; newest first."""
        if end - start <= 1:
            before = self.row()
            self._fold(start, end, self.folds)
            if before != (after := self.row()):
                steps.append(self._step(end, before, after))
            return
        middle = (start + end) // 2
        rows = [self.row()]
        for name, bounds in ((f"from_{start}", (start, middle)), (f"from_{middle}", (middle, end))):
            self.connection.execute(f"SAVEPOINT {name}")
            self._fold(*bounds, self.folds)
            rows.append(self.row())
        if rows[1] != rows[2]:
            self.connection.execute(f"ROLLBACK TO from_{middle}")
            self._search(middle, end, wanted, steps)
        if rows[0] != rows[1] and len(steps) < wanted:
            self.connection.execute(f"ROLLBACK TO from_{start}")
            self._search(start, middle, wanted, steps)

    def row(self) -> Row:
        """Read the row as it is replayed so far."""
        return self._read(table_name(self.table.name, SCRATCH))

    def live_row(self) -> Row:
        """Read the row that readers see."""
        return self._read(table_name(self.table.name, self.generation))

    def _read(self, table: str) -> Row:
        query = sql.SQL("SELECT to_jsonb(found) FROM {} AS found WHERE {}")
        found = self.connection.execute(query.format(sql.Identifier(table), self._where)).fetchone()
        row: Row = found[0] if found else None
        return row

    def _fold(self, start: int, end: int, folds: Sequence[Fold]) -> None:
        settle_down(self.connection, options().statement_timeout_seconds * 10, end - start)
        for fold in folds:
            whose = [start, end, self.projection.name, self.generation]
            psycopg.RawCursor(self.connection).execute(fold.less_parked, whose)

    def _step(self, position: int, before: Row, after: Row) -> Step:
        row = self.connection.execute(EVENT, [position]).fetchone()
        assert row is not None, "positions are dense"
        _, event_type, occurred_at, actor, aggregate_type, aggregate_id, version = row
        aggregate = f"{aggregate_type} {aggregate_id} v{version}"
        return Step(position, event_type, occurred_at, actor, aggregate, changes(before, after))

    def _scratch(self, stored: dict[str, str]) -> Fold:
        """Make an empty temporary table like a live one, and the fold that fills it."""
        name = table_name(stored["table"].rpartition("_g")[0].removeprefix("read_"), SCRATCH)
        self.connection.execute(
            sql.SQL("CREATE TEMPORARY TABLE {} (LIKE {} INCLUDING ALL)").format(
                sql.Identifier(name), sql.Identifier(stored["table"])
            )
        )
        return executable(stored["sql"], name, SCRATCH)

    def _condition(self, key: Sequence[str]) -> sql.Composed:
        columns = self.connection.execute(KEY, [table_name(self.table.name, self.generation)]).fetchall()
        if len(columns) != len(key):
            wanted = " ".join(name.upper() for name, _ in columns)
            raise ExplainError(f"The key of {self.table.name} is {wanted}.")
        parts = []
        for (name, kind), value in zip(columns, key, strict=True):
            try:
                with self.connection.transaction():
                    one_value(self.connection.execute(f"SELECT %s::{kind} IS NULL", [value]))
            except psycopg.DataError as error:
                raise ExplainError(f"{value!r} is no {name}: {kind}.") from error
            parts.append(
                sql.SQL("{} = {}::{}").format(sql.Identifier(name), sql.Literal(value), sql.SQL(kind))
            )
        return sql.SQL(" AND ").join(parts)


def _found(name: str) -> tuple[Projection, int]:
    """Find a table by its name."""
    tables = {table.name: (one, number) for one in projections() for number, table in enumerate(one.tables)}
    if name not in tables:
        raise ExplainError(f"There is no table {name}. There are: {', '.join(sorted(tables))}.")
    return tables[name]


def _flat(row: Row) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in (row or {}).items():
        if isinstance(value, dict):
            flat |= {f"{name}.{member}": inner for member, inner in value.items()}
        else:
            flat[name] = value
    return flat
