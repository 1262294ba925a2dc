"""The partitions of the event log: made ahead of need, as tables of their own that are attached when ready."""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from .connection import one_value
from .statements import statement

ATTACHED = statement("partitions_attached")
DETACHED = statement("partitions_detached")
LAST_POSITION = f"SELECT coalesce(max(beyond) - 1, 0) FROM ({ATTACHED}) AS attached"
IS_TAKEN = "SELECT to_regclass(quote_ident($1::text)) IS NOT NULL"

# Never CREATE … PARTITION OF: that waits for every reader of the log, and blocks new ones while it waits.
MAKE = """
CREATE TABLE {name} (LIKE event_log INCLUDING ALL, CHECK (position >= {first} AND position < {beyond}));
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON {name}
    FOR EACH STATEMENT EXECUTE FUNCTION event_log_is_append_only();
ALTER TABLE event_log ATTACH PARTITION {name} FOR VALUES FROM ({first}) TO ({beyond});
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A table of the log: positions >= first and < beyond; `is_pending` when its detaching was interrupted."""

    name: str
    first: int
    beyond: int
    is_pending: bool = False

    @property
    def last(self) -> int:
        """The last position that it has room for."""
        return self.beyond - 1


def attached(cursor: psycopg.RawCursor[Any]) -> list[Partition]:
    """List the partitions of the log by position, one whose detaching was interrupted included."""
    return [
        Partition(name=name, first=first, beyond=beyond, is_pending=is_pending)
        for name, first, beyond, is_pending in cursor.execute(ATTACHED).fetchall()
    ]


def detached(cursor: psycopg.RawCursor[Any]) -> list[Partition]:
    """List the tables that can be attached again, by position; one that no CHECK describes has the positions 0 to 0."""
    return [
        Partition(name=name, first=first or 0, beyond=beyond or 0)
        for name, first, beyond in cursor.execute(DETACHED).fetchall()
    ]


def last_position(cursor: psycopg.RawCursor[Any]) -> int:
    """Say up to which position the log has partitions; 0 when it has none."""
    return int(one_value(cursor.execute(LAST_POSITION)))


def make_next(cursor: psycopg.RawCursor[Any], size: int) -> int:
    """Add a partition behind the last one and return the last position there is room for.

    Must run in a transaction that holds the relay's lock, or two makers would choose the same name.
    """
    first = last_position(cursor) + 1
    beyond = first + size
    cursor.execute(
        sql.SQL(MAKE).format(
            name=sql.Identifier(_free_name(cursor, f"event_log_p{first}")),
            first=sql.Literal(first),
            beyond=sql.Literal(beyond),
        )
    )
    return beyond - 1


def _free_name(cursor: psycopg.RawCursor[Any], wanted: str) -> str:
    """Choose another name when somebody's table has the wanted one: the log must not stop for that."""
    name, number = wanted, 1
    while one_value(cursor.execute(IS_TAKEN, [name])):
        number += 1
        name = f"{wanted}_{number}"
    return name
