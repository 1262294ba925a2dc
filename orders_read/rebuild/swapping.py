"""Let the views of a read model show another generation: one short transaction, in which nobody's event can be lost.

Both generations are held, the one that is to be shown takes in what it lacks, and only then do the views change. So
the shown position never goes back, and delivery goes on with both from where they stand. Readers wait for a view for as
long as its definition is replaced; who reads it for longer makes us come again.
"""

import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg.rows import scalar_row

from outbox.exceptions import StaleCheckpoint
from outbox.folding import FOLDS, advance, hold, settle_down
from outbox.folds import GenerationKey
from outbox.options import options

from ..generations import show_generation
from .exceptions import EventsAreParked, NoKeptGeneration, ReadersInTheWay

LOCK_TIMEOUT_SECONDS = 0.01
PATIENCE_SECONDS = 60.0
HOLD_SECONDS = 5.0

STANDING = """
SELECT fed.statements_hash, ARRAY(SELECT stored ->> 'table' FROM jsonb_array_elements(fed.statements) AS stored),
       coalesce((SELECT to_position FROM checkpoints
                  WHERE subscriber = fed.projection AND generation = fed.generation
                  ORDER BY from_position DESC LIMIT 1), 0),
       (SELECT count(*) FROM dead_letters AS letter
         WHERE letter.subscriber = fed.projection AND letter.generation = fed.generation
           AND letter.state IN ('waiting', 'parked'))
  FROM projection_generations AS fed WHERE projection = %s AND generation = %s
"""
LIVE = "SELECT generation FROM projection_generations WHERE projection = %s AND state = 'live'"
NEWEST_KEPT = "SELECT max(generation) FROM projection_generations WHERE projection = %s AND state = 'kept'"
RETIRE = """
UPDATE projection_generations SET state = 'kept', drop_after = clock_timestamp() + make_interval(hours => %s)
 WHERE projection = %s AND state = 'live'
"""
SHOW = "UPDATE projection_generations SET state = 'live', drop_after = NULL WHERE projection = %s AND generation = %s"
EXPIRED = """
SELECT projection, generation FROM projection_generations WHERE state = 'kept' AND drop_after < clock_timestamp()
"""
SHORT = f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS * 1000:g}ms'"
PATIENT = f"SET LOCAL lock_timeout = '{HOLD_SECONDS * 1000:g}ms'"
DURABLE = "SET LOCAL synchronous_commit = on"


def swap(
    connection: psycopg.Connection[Any],
    projection: str,
    generation: int,
    *,
    keep_hours: int,
    accept_parked: bool = False,
    also: Callable[[], None] = lambda: None,
) -> float:
    """Show a generation in the place of the live one, which is kept for a while; return the seconds readers waited.

    `also` is called in the same transaction, on the same connection, before the views change: to write down the swap.
    Raises EventsAreParked, and ReadersInTheWay when the views are read without a pause; then nothing has changed.
    """
    ends_at = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends_at:
        try:
            return _swap(
                connection, projection, generation, keep_hours, accept_parked=accept_parked, also=also
            )
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            time.sleep(random.uniform(0.01, 0.1))  # noqa: S311 – so that two do not meet again and again
    raise ReadersInTheWay(projection=projection, seconds=PATIENCE_SECONDS)


def _swap(
    connection: psycopg.Connection[Any],
    projection: str,
    generation: int,
    keep_hours: int,
    *,
    accept_parked: bool,
    also: Callable[[], None],
) -> float:
    with connection.transaction():
        connection.execute(PATIENT)
        live = _value(connection, LIVE, [projection])
        for each in sorted({live, generation}):
            hold(connection, projection, each)
        _, old_tables, shown_position, _ = _standing(connection, projection, live)
        tables, parked = _take_in(connection, projection, generation, shown_position)
        if parked and not accept_parked:
            raise EventsAreParked(projection=projection, generation=generation, count=parked)
        also()
        connection.execute(DURABLE)
        connection.execute(SHORT)
        began = time.monotonic()
        _show(connection, projection, generation, {*old_tables, *tables}, keep_hours)
    return time.monotonic() - began


def _take_in(
    connection: psycopg.Connection[Any], projection: str, generation: int, up_to: int
) -> tuple[list[str], int]:
    """Fold what a held generation lacks; return its tables and how many of its aggregates are parked."""
    digest, tables, position, parked = _standing(connection, projection, generation)
    if position < up_to:
        key = GenerationKey(projection, generation, digest)
        FOLDS.load(connection, [key])
        settle_down(connection, options().statement_timeout_seconds, up_to - position)
        advance(connection, [key], position, up_to, parked=[key] if parked else [])
    return tables, parked


def _show(
    connection: psycopg.Connection[Any], projection: str, generation: int, tables: set[str], keep_hours: int
) -> None:
    names = sorted({table.rpartition("_g")[0].removeprefix("read_") for table in tables})
    with connection.cursor() as cursor:
        show_generation(cursor, names, generation)
    connection.execute(RETIRE, [keep_hours, projection])
    connection.execute(SHOW, [projection, generation])


def kept_generation(connection: psycopg.Connection[Any], projection: str) -> int:
    """Name the newest generation that was live before; raises NoKeptGeneration."""
    kept = _value(connection, NEWEST_KEPT, [projection])
    if kept is None:
        raise NoKeptGeneration(projection=projection)
    return int(kept)


def expired(connection: psycopg.Connection[Any]) -> Sequence[tuple[str, int]]:
    """List the kept generations whose time is over."""
    return connection.execute(EXPIRED).fetchall()


def _standing(
    connection: psycopg.Connection[Any], projection: str, generation: int
) -> tuple[str, list[str], int, int]:
    row = connection.execute(STANDING, [projection, generation]).fetchone()
    if row is None:
        raise StaleCheckpoint(projection=projection, generation=generation)
    digest, tables, position, parked = row
    return digest, tables, position, parked


def _value(connection: psycopg.Connection[Any], statement: str, parameters: list[Any]) -> Any:
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(statement, parameters).fetchone()
