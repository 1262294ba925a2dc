"""Read documents from the tables of one generation of a read model."""

from collections.abc import Sequence
from typing import Any

import psycopg

from outbox.subscribers import table_name

from ..stores.contract import Document
from ..stores.documents import EMPTY_KEY, Documents

# A key without a row is a document that is gone, as of where the generation stands.
BY_KEY = """
SELECT wanted.key, coalesce(own.version, standing.position), own.owner, own.text
  FROM unnest($1::bigint[]) AS wanted (key)
 CROSS JOIN (SELECT coalesce((SELECT to_position FROM checkpoints WHERE subscriber = $2::text AND generation = $3::int
                               ORDER BY from_position DESC LIMIT 1), 0) AS position) AS standing
  LEFT JOIN LATERAL (SELECT row_version AS version, {owner} AS owner, {text} AS text
                       FROM "{table}" WHERE {key} = wanted.key OFFSET 0) AS own ON true
"""
PAGE = """
SELECT {key}, row_version, {owner}, {text} FROM "{table}" WHERE {key} > $1::bigint ORDER BY {key} LIMIT $2::int
"""
EMPTY = """
SELECT {text}
  FROM (SELECT $1::bigint AS {key}) AS asked LEFT JOIN (SELECT * FROM "{table}" LIMIT 0) AS own USING ({key})
"""
# Folds need not wait for the disk, but nobody outside may hear of what a crash could undo.
FLUSH = """
SELECT CASE WHEN pg_current_wal_flush_lsn() < pg_current_wal_insert_lsn()
            THEN pg_logical_emit_message(false, 'mirror', '', true) END
"""


class Source:
    """The documents of one generation; what is read is on disk when it is returned."""

    def __init__(self, documents: Documents, generation: int) -> None:
        self.documents = documents
        self.generation = generation

    def read(self, connection: psycopg.Connection[Any], keys: Sequence[int]) -> list[Document]:
        """Read documents by key, one for each."""
        who = [list(keys), self.documents.read_model, self.generation]
        return self._read(connection, BY_KEY, who)

    def page(self, connection: psycopg.Connection[Any], after: int, limit: int) -> list[Document]:
        """Read the next documents in the order of their keys."""
        return self._read(connection, PAGE, [after, limit])

    def empty(self, connection: psycopg.Connection[Any]) -> str | None:
        """Read what is answered for EMPTY_KEY, which no row has; None where that is no answer."""
        if not self.documents.has_empty:
            return None
        row = psycopg.RawCursor(connection).execute(self._sql(EMPTY), [EMPTY_KEY]).fetchone()
        assert row is not None
        return str(row[0])

    def _read(
        self, connection: psycopg.Connection[Any], statement: str, parameters: list[Any]
    ) -> list[Document]:
        rows = (
            psycopg.RawCursor(connection).execute(self._sql(statement), parameters, prepare=True).fetchall()
        )
        if rows:
            connection.execute(FLUSH)
        return [Document(*row) for row in rows]

    def _sql(self, statement: str) -> str:
        return statement.format(
            key=self.documents.key,
            owner=self.documents.owner,
            text=self.documents.text,
            table=table_name(self.documents.read_model, self.generation),
        )
