"""Build a generation from the log: fill fresh tables with the folds that run live, index them, catch up.

Each step is committed with the checkpoint that it moves, so that whoever resumes goes on where the last one was killed.
"""

import time
from collections.abc import Callable
from typing import Any

import psycopg

from outbox.careful import CarefulDelivery
from outbox.connection import one_value, pipelined_transaction
from outbox.failures import Patient
from outbox.folding import FOLDS, advance, settle_down
from outbox.folds import GenerationKey
from outbox.options import options
from outbox.subscribers import Projection, table_name

from ..generations import create_generation, index_statements, next_number
from . import record
from .exceptions import ColumnsDiffer, FoldsFail, RebuildCancelled
from .record import Rebuild

HEAD = "SELECT coalesce(max(position), 0) FROM event_log"
STANDING = """
SELECT fed.statements_hash,
       coalesce((SELECT to_position FROM checkpoints
                  WHERE subscriber = fed.projection AND generation = fed.generation
                  ORDER BY from_position DESC LIMIT 1), 0),
       EXISTS (SELECT FROM dead_letters AS letter
                WHERE letter.subscriber = fed.projection AND letter.generation = fed.generation
                  AND letter.state IN ('waiting', 'parked'))
  FROM projection_generations AS fed WHERE projection = %s AND generation = %s
"""
# What the view shows under another type than the new table has.
RETYPED = """
SELECT shown.attname, format_type(shown.atttypid, shown.atttypmod), format_type(own.atttypid, own.atttypmod)
  FROM pg_attribute AS shown
  JOIN pg_attribute AS own ON own.attname = shown.attname AND own.attrelid = to_regclass(%s) AND own.attnum > 0
 WHERE shown.attrelid = to_regclass(%s) AND shown.attnum > 0
   AND (shown.atttypid, shown.atttypmod) <> (own.atttypid, own.atttypmod)
"""
BULK = "SET statement_timeout = 0; SET work_mem = '128MB'; SET maintenance_work_mem = '512MB'"
VACUUM_LATER = 'ALTER TABLE "{table}" SET (autovacuum_enabled = false)'
VACUUM_NOW = 'ALTER TABLE "{table}" RESET (autovacuum_enabled)'

NOTE_SECONDS = 0.5
CLOSE_EVENTS = 2_000

Watch = Callable[[Rebuild], None]


class Build:
    """One generation on its way; needs a connection of its own, in autocommit, and holds no lock between two steps.

    `watch` is called whenever the record has moved. Raises RebuildCancelled at the next step after somebody asked.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        projection: Projection,
        rebuild: Rebuild,
        batch_size: int,
        watch: Watch = lambda _: None,
    ) -> None:
        self.connection = connection
        self.projection = projection
        self.rebuild = rebuild
        self.batch_size = batch_size
        self.watch = watch
        self._noted_at = 0.0
        self._folding_seconds = 0.0
        connection.execute(BULK)

    def fold_all(self) -> None:
        """Fold the log up to where its head is now into the fresh tables."""
        self.enter("folding")
        self._fold_up_to(self._head())

    def index(self) -> None:
        """Make the indexes that are not there yet, and tell the planner about the tables."""
        self.enter("indexing")
        statements = index_statements(self.projection, self.rebuild.generation)
        for number, statement in enumerate(
            statements[self.rebuild.indexes_done :], self.rebuild.indexes_done
        ):
            with self.connection.transaction():
                self.connection.execute(statement)
                self.rebuild.indexes_done = number + 1
                self._note()
        for table in self.tables:
            self.connection.execute(VACUUM_NOW.format(table=table))
            self.connection.execute(f'ANALYZE "{table}"')

    def catch_up(self) -> None:
        """Fold what came meanwhile, until little is left."""
        self.enter("catching up")
        while self._head() - self.rebuild.events_done > CLOSE_EVENTS:
            self._fold_up_to(self._head())
        self._fold_up_to(self._head())

    @property
    def tables(self) -> list[str]:
        """Name the tables of the generation."""
        return [table_name(table.name, self.rebuild.generation) for table in self.projection.tables]

    def _fold_up_to(self, head: int) -> None:
        self.rebuild.events_total = head
        key, position, has_parked = self._standing()
        while position < head:
            began = time.monotonic()
            try:
                position = self._fold(
                    key, position, min(position + self.batch_size, head), has_parked=has_parked
                )
            except psycopg.Error as error:
                if self.connection.closed:
                    raise
                self._bring_past(position, min(position + self.batch_size, head), error)
                key, position, has_parked = self._standing()
            self.rebuild.events_done = position
            self._folding_seconds += time.monotonic() - began
            if position == head or time.monotonic() - self._noted_at >= NOTE_SECONDS:
                self._note()

    def _fold(self, key: GenerationKey, position: int, to_position: int, *, has_parked: bool) -> int:
        with pipelined_transaction(self.connection):
            settle_down(self.connection, options().statement_timeout_seconds, to_position - position)
            advance(self.connection, [key], position, to_position, parked=[key] if has_parked else [])
        return to_position

    def _bring_past(self, position: int, to_position: int, error: psycopg.Error) -> None:
        """Find the event that breaks the fold and park its aggregate, as live delivery does."""
        patient = Patient(self.projection.name, self.rebuild.generation, to_position)
        if not CarefulDelivery(self.connection).bring_past(patient):
            said = error.diag.message_primary or str(error)
            raise FoldsFail(projection=self.projection.name, position=position, error=said) from error

    def _standing(self) -> tuple[GenerationKey, int, bool]:
        name, generation = self.projection.name, self.rebuild.generation
        row = self.connection.execute(STANDING, [name, generation]).fetchone()
        if row is None:
            raise RebuildCancelled(projection=name)
        digest, position, has_parked = row
        key = GenerationKey(name, generation, digest)
        FOLDS.load(self.connection, [key])
        return key, position, has_parked

    def _head(self) -> int:
        return int(one_value(self.connection.execute(HEAD)))

    def enter(self, phase: str) -> None:
        """Record that a phase begins."""
        self.rebuild.phase = phase
        self._note()

    def _note(self) -> None:
        seconds, self._folding_seconds = self._folding_seconds, 0.0
        self._noted_at = time.monotonic()
        is_to_end = record.note(self.connection, self.rebuild, seconds)
        self.watch(self.rebuild)
        if is_to_end:
            raise RebuildCancelled(projection=self.projection.name)


def begin(connection: psycopg.Connection[Any], projection: Projection, actor: str, reason: str) -> Rebuild:
    """Make the empty tables of a new generation and record its rebuild, in one transaction.

    Raises LogIsPruned, and ColumnsDiffer when the views could not show the new tables.
    """
    with connection.transaction(), connection.cursor() as cursor:
        generation = next_number(cursor, projection.name)
        create_generation(cursor, projection, generation, "building")
        for table in projection.tables:
            name = table_name(table.name, generation)
            cursor.execute(VACUUM_LATER.format(table=name))
            if row := cursor.execute(RETYPED, [name, f"read_{table.name}"]).fetchone():
                column, was, now = row
                raise ColumnsDiffer(table=table.name, column=column, was=was, now=now)
        total = one_value(connection.execute(HEAD))
        return record.start(connection, projection.name, generation, total, actor, reason)
