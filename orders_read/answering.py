"""Ask a read model, and note in the very same statement how far it had come: the answer's own consistency token.

Read before the answer, the position would say less than was shown, and another read model could then show something
older; read after it, it would promise what was not shown.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import connection
from psycopg.sql import quote

# Small tables: an answer's plan stays what it is by itself. A materialized view says itself of which position it is.
WITH_POSITION = """
SELECT standing.position, answer.text
  FROM (SELECT max(position) AS position
          FROM (SELECT coalesce((SELECT to_position FROM checkpoints
                                  WHERE subscriber = projection AND checkpoints.generation = live.generation
                                  ORDER BY from_position DESC LIMIT 1), 0) AS position
                  FROM projection_generations AS live
                 WHERE state = 'live' AND projection IN ({read_models})
                 UNION ALL
                SELECT position FROM read_shop_overview WHERE 'shop_overview' IN ({read_models})) AS positions
       ) AS standing
  LEFT JOIN ({statement}) AS answer (text) ON true
"""

_noted: ContextVar["Positions | None"] = ContextVar("positions", default=None)


class Positions:
    """The positions of some read models, as of each answer."""

    def __init__(self, read_models: Sequence[str]) -> None:
        self.read_models = ", ".join(quote(name) for name in read_models)
        self.seen: list[int] = []
        self.only_here: set[str] = set()


@contextmanager
def noted_positions(read_models: Sequence[str]) -> Iterator[Positions]:
    """Note how far these read models had come at each answer within."""
    positions = Positions(read_models)
    before = _noted.set(positions)
    try:
        yield positions
    finally:
        _noted.reset(before)


def note_position(position: int) -> None:
    """Note how far an answer had come that another store gave."""
    positions = _noted.get()
    if positions is not None:
        positions.seen.append(position)


def require_database(read_model: str) -> None:
    """Let no other store answer within: what was judged to be new enough are the tables here."""
    positions = _noted.get()
    if positions is not None:
        positions.only_here.add(read_model)


def requires_database(read_model: str) -> bool:
    """Say whether another store's answer could be older than what was judged."""
    positions = _noted.get()
    return positions is not None and read_model in positions.only_here


def ask(statement: str, parameters: Mapping[str, Any]) -> str | None:
    """Answer the text of a statement's only row and column; None without a row."""
    positions = _noted.get()
    if positions is not None:
        named = WITH_POSITION.replace("{read_models}", positions.read_models)
        statement = named.replace("{statement}", statement)
    row: tuple[Any, ...] | None
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        row = cursor.fetchone()
    if positions is not None and row is not None:
        note_position(row[0])
    text: str | None = row[-1] if row else None
    return text
