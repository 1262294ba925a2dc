"""Compare a live generation with its shadow: one that is folded from the log afresh, compared, and dropped.

Both must stand at one position when they are compared. The live one is held for as long as the shadow takes in the last
events and a snapshot is taken; the comparison reads that snapshot, and delivery goes on meanwhile.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from outbox.connection import connect, one_value, pipelined_transaction
from outbox.folding import FOLDS, advance, hold, settle_down
from outbox.folds import GenerationKey
from outbox.options import options
from outbox.subscribers import table_name

from ..generations import create_shadow, drop_generation, generations
from ..mirrors.touching import touch
from . import record
from .comparing import Difference, differences
from .exceptions import LettersMoved, NoLiveGeneration
from .meeting import meet, standing
from .record import Verification
from .repairing import repair

ATTEMPTS = 5
BULK = "SET statement_timeout = 0; SET work_mem = '128MB'"

LIVE = "SELECT generation FROM projection_generations WHERE projection = %s AND state = 'live'"
# Which events were left out of the live generation, and are left out of the shadow.
LETTERS = """
SELECT coalesce(string_agg(
           dead_letter_id || ' ' || position || ' ' || (state = 'skipped'), ',' ORDER BY dead_letter_id), '')
  FROM dead_letters
 WHERE subscriber = %s AND generation = %s AND state IN ('waiting', 'parked', 'skipped')
"""


@dataclass(slots=True)
class Budget:
    """For how long the shadow may be worked on before `build` returns; for ever unless said otherwise."""

    seconds: float = float("inf")
    began: float = field(default_factory=time.monotonic)

    @property
    def is_over(self) -> bool:
        """Tell whether the time is over."""
        return time.monotonic() - self.began >= self.seconds


class Shadow:
    """The shadow of one projection's live generation; takes a connection in autocommit, and opens a second to compare.

    What is built stays until it was compared, so that a later call, or another worker, goes on with it.
    """

    def __init__(self, connection: psycopg.Connection[Any], projection: str, batch_size: int = 5_000) -> None:
        self.connection = connection
        self.projection = projection
        self.batch_size = batch_size
        connection.execute(BULK)
        self.verification = self._found() or self._begun()

    def build(self, budget: Budget) -> bool:
        """Fold up to where the live generation stands; say whether the shadow came there within the budget."""
        live, shadow = self._keys()
        position, goal = self._position(shadow.generation), self._position(live.generation)
        while position < goal and not budget.is_over:
            position = self._fold(live, shadow, position, min(position + self.batch_size, goal))
        return position >= goal

    def compare(self) -> Sequence[Difference]:
        """Bring both to one position, list all rows that differ, and record the end. The shadow is still there."""
        with connect(f"verify {self.projection}"[:63]) as reader:
            reader.execute(BULK)
            with reader.transaction():
                position = self._freeze_and_take_snapshot(reader)
                found, rows = self._differences(reader)
        record.end(self.connection, self.verification, position, rows, found)
        return found

    def repair(self, found: Sequence[Difference]) -> int:
        """Give the rows that differ their fresh values, while the live generation is held; return how many."""
        live, shadow = self._keys()
        with self.connection.transaction():
            hold(self.connection, self.projection, live.generation)
            position = self._position(live.generation)
            self._take_in(live, shadow, position)
            mended = repair(self.connection, found, live.generation, shadow.generation, position)
            keys = [one.key[0] for one in found if one.table == self.projection]
            touch(self.connection, self.projection, live.generation, keys)
        record.repaired(self.connection, self.verification, mended)
        return mended

    def drop(self) -> None:
        """Drop the shadow's tables."""
        drop_generation(self.connection, self.projection, self.verification.shadow)

    def _found(self) -> Verification | None:
        """Find one to go on with: its shadow is there, and its dead letters are still those that count."""
        found = record.unfinished(self.connection, self.projection)
        if found is None:
            return None
        is_live = self._live() == found.generation
        states = dict(generations(self.connection.cursor(), self.projection))
        has_shadow = states.get(found.shadow) == "building"
        if is_live and has_shadow and found.letters == self._letters(found.generation):
            return found
        if has_shadow:
            drop_generation(self.connection, self.projection, found.shadow)
        record.forget(self.connection, found)
        return None

    def _begun(self) -> Verification:
        with self.connection.transaction(), self.connection.cursor() as cursor:
            live = self._live()
            shadow = create_shadow(cursor, self.projection, live)
            return record.begin(self.connection, self.projection, live, shadow, self._letters(live))

    def _freeze_and_take_snapshot(self, reader: psycopg.Connection[Any]) -> int:
        """Let both stand at one position in the reader's snapshot, unless dead letters were settled meanwhile."""
        live, shadow = self.verification.generation, self.verification.shadow
        position = meet(self.connection, reader, self.projection, live, shadow)
        if self._letters(live, reader) != self.verification.letters:
            raise LettersMoved(projection=self.projection)
        return position

    def _take_in(self, live: GenerationKey, shadow: GenerationKey, up_to: int) -> None:
        position = self._position(shadow.generation)
        if position < up_to:
            settle_down(self.connection, options().statement_timeout_seconds, up_to - position)
            advance(self.connection, [shadow], position, up_to, parked=[shadow], letters_of=live)

    def _fold(self, live: GenerationKey, shadow: GenerationKey, position: int, to_position: int) -> int:
        parked = [shadow] if self.verification.letters else []
        with pipelined_transaction(self.connection):
            settle_down(self.connection, options().statement_timeout_seconds, to_position - position)
            advance(self.connection, [shadow], position, to_position, parked=parked, letters_of=live)
        return to_position

    def _differences(self, reader: psycopg.Connection[Any]) -> tuple[list[Difference], int]:
        live, shadow = self.verification.generation, self.verification.shadow
        found: list[Difference] = []
        rows = 0
        for table in self._tables():
            tables = table_name(table, live), table_name(table, shadow)
            found += differences(reader, table, *tables)
            rows += one_value(reader.execute(f'SELECT count(*) FROM "{tables[1]}"'))
        return found, rows

    def _keys(self) -> tuple[GenerationKey, GenerationKey]:
        live, shadow = (
            standing(self.connection, self.projection, generation)[0]
            for generation in (self.verification.generation, self.verification.shadow)
        )
        FOLDS.load(self.connection, [live, shadow])
        return live, shadow

    def _position(self, generation: int) -> int:
        return standing(self.connection, self.projection, generation)[1]

    def _tables(self) -> list[str]:
        return standing(self.connection, self.projection, self.verification.generation)[2]

    def _live(self) -> int:
        row = self.connection.execute(LIVE, [self.projection]).fetchone()
        if row is None:
            raise NoLiveGeneration(projection=self.projection)
        return int(row[0])

    def _letters(self, generation: int, connection: psycopg.Connection[Any] | None = None) -> str:
        """Tell the dead letters of a generation that count, as the connection sees them."""
        asked = (connection or self.connection).execute(LETTERS, [self.projection, generation])
        return str(one_value(asked))
