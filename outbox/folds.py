"""Turn the stored fold statements of a generation into statements that can be executed over a range of the log."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg

from .exceptions import StaleCheckpoint
from .statements import statement
from .subscribers import table_name

BATCH = statement("batch")
BATCH_WITH_PERSONAL = statement("batch_with_personal")
STATEMENTS = """
SELECT statements::text FROM projection_generations
 WHERE projection = $1::text AND generation = $2::int AND statements_hash = $3::text
"""


@dataclass(frozen=True, slots=True, order=True)
class GenerationKey:
    """Names one generation of a projection; the hash names the text of its folds."""

    projection: str
    generation: int
    statements_hash: str


class StoredFolds:
    """The executable folds of each generation, read once per process; a worker needs no code of a projection."""

    def __init__(self) -> None:
        self._folds: dict[GenerationKey, tuple[str, ...]] = {}

    def load(self, connection: psycopg.Connection[Any], keys: Iterable[GenerationKey]) -> None:
        """Read what is not known yet; raises StaleCheckpoint when a generation is gone."""
        for key in keys:
            if key not in self._folds:
                self._folds[key] = _read(connection, key)

    def of(self, key: GenerationKey) -> tuple[str, ...]:
        """Answer the statements of a loaded generation; each takes the parameters from and to position."""
        return self._folds[key]


def executable(fold: str, table: str, generation: int) -> str:
    """Put the batch (positions > $1 and <= $2) before a fold and the names of its tables into it."""
    batch = BATCH_WITH_PERSONAL if re.search(r"\bpersonal\b", fold) else BATCH
    named = fold.replace("{table}", f'"{table}"')
    named = re.sub(r"\{table:(\w+)\}", lambda other: f'"{table_name(other[1], generation)}"', named)
    return f"WITH batch AS MATERIALIZED (\n{batch})\n{named}"


def _read(connection: psycopg.Connection[Any], key: GenerationKey) -> tuple[str, ...]:
    parameters = [key.projection, key.generation, key.statements_hash]
    row = psycopg.RawCursor(connection).execute(STATEMENTS, parameters).fetchone()
    if row is None:  # dropped since the round began; no statements would move the checkpoint and fold nothing
        raise StaleCheckpoint(projection=key.projection, generation=key.generation)
    statements = json.loads(row[0])
    return tuple(executable(stored["sql"], stored["table"], key.generation) for stored in statements)
