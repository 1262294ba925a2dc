"""Turn the stored fold statements of a generation into statements that can be executed over a batch of events."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg

from .exceptions import StaleCheckpoint
from .subscribers import Projection, table_name
from .upcasters import read_as_today

BATCH = """WITH batch AS MATERIALIZED (
SELECT position, message_id, event_type, {schema_version} AS schema_version, aggregate_type, aggregate_id,
       aggregate_version, {payload} AS payload, metadata, occurred_at, recorded_at{personal}
  FROM event_log
 WHERE {which})
"""
# What the events say about persons: NULL where that was erased or never said.
PERSONAL = (
    ", (SELECT data FROM event_personal WHERE event_personal.event_id = event_log.event_id) AS personal"
)

RANGE = "position > $1::bigint AND position <= $2::bigint"
# What waits behind an open dead letter of a generation is left out, and what an operator skipped for it.
LESS_PARKED = """NOT EXISTS (
       SELECT FROM dead_letters AS letter
        WHERE letter.subscriber = {subscriber}::text AND letter.generation = {generation}::int
          AND letter.aggregate_type = event_log.aggregate_type AND letter.aggregate_id = event_log.aggregate_id
          AND (letter.state IN ('waiting', 'parked') AND letter.position <= event_log.position
               OR letter.state = 'skipped' AND letter.position = event_log.position))"""
RANGE_LESS_PARKED = f"{RANGE} AND {LESS_PARKED.format(subscriber='$3', generation='$4')}"
AGGREGATES = f"""aggregate_type = $3::text AND aggregate_id = ANY ($4::bigint[]) AND position <= $5::bigint
   AND {LESS_PARKED.format(subscriber="$1", generation="$2")}"""
ONE_EVENT = "position = $1::bigint"

STATEMENTS = """
SELECT statements::text FROM projection_generations
 WHERE projection = $1::text AND generation = $2::int AND statements_hash = $3::text
"""
ADOPT = """
UPDATE projection_generations SET statements = %(statements)s, statements_hash = %(digest)s
 WHERE projection = %(projection)s AND version = %(version)s AND generation = %(generation)s
   AND statements_hash <> %(digest)s
"""
GENERATIONS = "SELECT generation FROM projection_generations WHERE projection = %(projection)s"


@dataclass(frozen=True, slots=True, order=True)
class GenerationKey:
    """Names one generation of a projection; the hash names the text of its folds."""

    projection: str
    generation: int
    statements_hash: str


@dataclass(frozen=True, slots=True)
class Fold:
    """The fold of one table over three kinds of batch.

    `of_range` takes from and to position; `less_parked` also subscriber and generation, and leaves out what is parked
    for them; `of_event` takes a position and answers the ctid of each row that it wrote.
    """

    table: str
    of_range: str
    less_parked: str
    of_event: str


class StoredFolds:
    """The executable folds of each generation, read once per process; a worker needs no code of a projection."""

    def __init__(self) -> None:
        self._folds: dict[GenerationKey, tuple[Fold, ...]] = {}

    def load(self, connection: psycopg.Connection[Any], keys: Iterable[GenerationKey]) -> None:
        """Read what is not known yet; raises StaleCheckpoint when a generation is gone."""
        for key in keys:
            if key not in self._folds:
                self._folds[key] = _read(connection, key)

    def of(self, key: GenerationKey) -> tuple[Fold, ...]:
        """Answer the folds of a loaded generation, in the order of its tables."""
        return self._folds[key]


def executable(text: str, table: str, generation: int) -> Fold:
    """Put each kind of batch before a fold, and the names of its tables into it."""
    return Fold(
        table,
        _over(RANGE, text, table, generation),
        _over(RANGE_LESS_PARKED, text, table, generation),
        _over(ONE_EVENT, text, table, generation) + "\nRETURNING ctid",
    )


def over_aggregates(text: str, table: str, generation: int) -> str:
    """Make a fold executable over all events of some aggregates up to a position.

    Its parameters: subscriber and generation whose dead letters count, type and ids of the aggregates, position.
    """
    return _over(AGGREGATES, text, table, generation)


def _over(which: str, text: str, table: str, generation: int) -> str:
    named = re.sub(r"\{table:(\w+)\}", lambda other: f'"{table_name(other[1], generation)}"', text)
    named = named.replace("{table}", f'"{table}"')
    personal = PERSONAL if re.search(r"\bpersonal\b", text) else ""
    payload, schema_version = read_as_today()
    head = BATCH.format(personal=personal, which=which, payload=payload, schema_version=schema_version)
    return head + named


def stored_form(projection: Projection, generation: int) -> tuple[str, str]:
    """Return what a generation keeps of its code, as JSON text and its hash: for each table its name and its fold."""
    text = json.dumps(
        [{"table": table_name(table.name, generation), "sql": table.fold} for table in projection.tables]
    )
    return text, hashlib.sha256(text.encode()).hexdigest()


def adopt(cursor: Any, projection: Projection) -> bool:
    """Give the generations of a projection's version the folds of today's code; say whether any differed.

    For a fold that was mended and means the same; a fold that means something else has another version, and is built.
    `cursor` is Django's, or psycopg's with named parameters.
    """
    cursor.execute(GENERATIONS, {"projection": projection.name})
    changed = 0
    for (generation,) in cursor.fetchall():
        statements, digest = stored_form(projection, generation)
        cursor.execute(
            ADOPT,
            {
                "statements": statements,
                "digest": digest,
                "projection": projection.name,
                "version": projection.version,
                "generation": generation,
            },
        )
        changed += cursor.rowcount
    return changed > 0


def _read(connection: psycopg.Connection[Any], key: GenerationKey) -> tuple[Fold, ...]:
    parameters = [key.projection, key.generation, key.statements_hash]
    row = psycopg.RawCursor(connection).execute(STATEMENTS, parameters).fetchone()
    if row is None:  # dropped since the round began; no statements would move the checkpoint and fold nothing
        raise StaleCheckpoint(projection=key.projection, generation=key.generation)
    statements = json.loads(row[0])
    return tuple(executable(stored["sql"], stored["table"], key.generation) for stored in statements)
