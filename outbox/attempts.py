"""Note each attempt before it is made, so that one which kills the worker, or its connection, is known to the next."""

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Any
from uuid import UUID, uuid4

import psycopg

from .connection import connect
from .folds import GenerationKey

NOTE = """
INSERT INTO delivery_attempts (members, from_position, to_position, owner)
VALUES ($1::text[], $2::bigint, $3::bigint, $4::uuid)
"""
END = "DELETE FROM delivery_attempts WHERE owner = $1::uuid AND from_position = $2::bigint"

EXPLAIN = """
DELETE FROM delivery_attempts WHERE from_position = $3 AND to_position = $3 + 1 AND $1 || ' ' || $2::int = ANY (members)
"""

# It tells of a process that died. Should the server die as well, the process that survives tries again and tells.
ASYNCHRONOUS = "SET synchronous_commit = off"


class Attempts:
    """The notes of one owner, committed on a connection of their own: they must stay when the attempt is undone.

    A note is sent before the attempt, and not waited for: once it is sent, the death of its owner does not undo it.
    A note counts for as long as the generation stands where the attempt began, so none has to be removed by a round.
    """

    def __init__(self) -> None:
        self.owner: UUID = uuid4()
        self._connection: psycopg.Connection[Any] | None = None
        self._pipeline: psycopg.Pipeline
        self._stack = ExitStack()

    def note(self, keys: Sequence[GenerationKey], from_position: int, to_position: int) -> None:
        """Commit that these generations are about to be fed with a range."""
        if self._connection is None:
            self._connection = connect("delivery attempts")
            self._connection.execute(ASYNCHRONOUS)
            self._pipeline = self._stack.enter_context(self._connection.pipeline())
        members = [f"{key.projection} {key.generation}" for key in keys]
        psycopg.RawCursor(self._connection).execute(
            NOTE, [members, from_position, to_position, self.owner], prepare=True
        )
        self._pipeline.sync()

    def end(self, from_position: int) -> None:
        """Take back the note of an attempt that failed, but came to an end."""
        if self._connection is not None:
            psycopg.RawCursor(self._connection).execute(END, [self.owner, from_position])
            self._pipeline.sync()

    def blame(self, keys: Sequence[GenerationKey], from_position: int, to_position: int) -> None:
        """Note that of an attempt which cut the connection these are to blame, and the others are not."""
        self.end(from_position)
        self.note(keys, from_position, to_position)

    def close(self) -> None:
        """Close the connection; the notes stay."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._stack.close()
            self._connection.close()
            self._connection = None


def explain(
    connection: psycopg.Connection[Any], projection: str, generation: int, from_position: int
) -> None:
    """Take back everybody's notes of attempts at one event: its dead letter tells of them now."""
    psycopg.RawCursor(connection).execute(EXPLAIN, [projection, generation, from_position])
