"""Materialized views: each is refreshed, and then shows what its query says."""

from typing import Any

import psycopg
from psycopg import sql

from .finding import Finding

CLOCK = "as_of"  # the column that tells when a view was computed
MATERIALIZED = """
SELECT matviewname, definition FROM pg_matviews WHERE schemaname = 'public' AND matviewname LIKE 'read\\_%' ORDER BY 1
"""
HEAD = "SELECT coalesce(max(position), 0) FROM event_log"
DIFFERENCE = """
SELECT min(side) || ' ' || row::text
  FROM (SELECT 'found' AS side, to_jsonb(one) - {clock} AS row FROM {view} AS one
        UNION ALL
        SELECT 'expected', to_jsonb(one) - {clock} FROM ({query}) AS one) AS both_sides
 GROUP BY row HAVING count(DISTINCT side) = 1
"""


def as_defined(connection: psycopg.Connection[Any]) -> Finding:
    """Compare every materialized view, which was refreshed just now, with its query, and its position with the log."""
    finding = Finding("every materialized view equals its query")
    head = connection.execute(HEAD).fetchone()
    assert head is not None
    for name, query in connection.execute(MATERIALIZED).fetchall():
        finding.count("views")
        view = sql.Identifier(name)
        different = sql.SQL(DIFFERENCE).format(
            clock=sql.Literal(CLOCK), view=view, query=sql.SQL(query.rstrip().removesuffix(";"))
        )
        finding.wrong += [f"{name}: {row}" for (row,) in connection.execute(different).fetchall()]
        for (position,) in connection.execute(sql.SQL("SELECT position FROM {}").format(view)).fetchall():
            finding.expect(position == head[0], f"{name} is of position {position}, the log has {head[0]}")
    return finding
