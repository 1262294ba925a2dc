"""The stored folds, run once more over the whole log into empty tables: every read model must say the same."""

import json
from typing import Any

import psycopg

from outbox.folds import executable

from .finding import MOST_SHOWN, Finding

# No generation comes near this number; the tables are dropped again.
GENERATION = 9_999
LIVE = "SELECT projection, generation, statements::text FROM projection_generations WHERE state = 'live' ORDER BY 1"
HEAD = "SELECT coalesce(max(position), 0) FROM event_log"
DIFFERENCE = """
SELECT side || ' ' || row::text
  FROM (SELECT 'found' AS side, to_jsonb(one) AS row FROM (TABLE {found} EXCEPT TABLE {fresh}) AS one
        UNION ALL
        SELECT 'expected', to_jsonb(one) FROM (TABLE {fresh} EXCEPT TABLE {found}) AS one) AS different
"""


def one_pass(connection: psycopg.Connection[Any]) -> Finding:
    """Compare every live read model with one fold of the whole log, all columns included."""
    finding = Finding("every read model equals one fold of the whole log")
    head = connection.execute(HEAD).fetchone()
    assert head is not None
    with connection.transaction(force_rollback=True):
        for projection, generation, text in connection.execute(LIVE).fetchall():
            finding.count("read models")
            _compare(connection, finding, projection, generation, json.loads(text), head[0])
    return finding


def _compare(
    connection: psycopg.Connection[Any],
    finding: Finding,
    projection: str,
    generation: int,
    stored: list[dict[str, str]],
    head: int,
) -> None:
    names = {
        each["table"]: f"{each['table'].removesuffix(f'_g{generation}')}_g{GENERATION}" for each in stored
    }
    for live, fresh in names.items():
        connection.execute(f'CREATE TABLE "{fresh}" (LIKE "{live}" INCLUDING ALL)')
    for each in stored:
        fold = executable(each["sql"], names[each["table"]], GENERATION)
        psycopg.RawCursor(connection).execute(fold.of_range, [0, head])
    for live, fresh in names.items():
        query = DIFFERENCE.format(found=f'"{live}"', fresh=f'"{fresh}"')
        found = [row for (row,) in connection.execute(query).fetchall()]
        finding.wrong += [f"{projection}, {live}: {row}" for row in found[: 2 * MOST_SHOWN]]
        rows = connection.execute(f'SELECT count(*) FROM "{fresh}"').fetchone()
        assert rows is not None
        finding.count("rows", rows[0])
