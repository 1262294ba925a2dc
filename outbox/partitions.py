"""The partitions of the event log: made ahead of need, as tables of their own that are attached when ready."""

from typing import Any

import psycopg
from psycopg import sql

from .connection import one_value

LAST_POSITION = """
SELECT coalesce(max((regexp_match(pg_get_expr(relpartbound, oid), 'TO \\(''(\\d+)''\\)'))[1]::bigint), 1) - 1
  FROM pg_class JOIN pg_inherits ON inhrelid = oid
 WHERE inhparent = 'event_log'::regclass
"""

# Never CREATE … PARTITION OF: that waits for every reader of the log, and blocks new ones while it waits.
MAKE = """
CREATE TABLE {name} (LIKE event_log INCLUDING ALL, CHECK (position >= {first} AND position < {beyond}));
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON {name}
    FOR EACH STATEMENT EXECUTE FUNCTION event_log_is_append_only();
ALTER TABLE event_log ATTACH PARTITION {name} FOR VALUES FROM ({first}) TO ({beyond});
"""


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
            name=sql.Identifier(f"event_log_p{first}"), first=sql.Literal(first), beyond=sql.Literal(beyond)
        )
    )
    return beyond - 1
