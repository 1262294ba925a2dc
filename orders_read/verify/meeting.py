"""Let two generations of a projection stand at one position in a reader's snapshot, while delivery goes on."""

from typing import Any

import psycopg

from outbox.exceptions import StaleCheckpoint
from outbox.folding import DELIVERY_LOCK, FOLDS, advance, settle_down
from outbox.folds import GenerationKey
from outbox.options import options

STANDING = """
SELECT fed.statements_hash,
       coalesce((SELECT to_position FROM checkpoints
                  WHERE subscriber = fed.projection AND generation = fed.generation
                  ORDER BY from_position DESC LIMIT 1), 0),
       ARRAY(SELECT regexp_replace(stored ->> 'table', '^read_(.*)_g[0-9]+$', '\\1')
               FROM jsonb_array_elements(fed.statements) AS stored),
       EXISTS (SELECT FROM dead_letters AS letter
                WHERE letter.subscriber = fed.projection AND letter.generation = fed.generation
                  AND letter.state IN ('waiting', 'parked', 'skipped'))
  FROM projection_generations AS fed WHERE projection = %s AND generation = %s
"""
FREEZE = "SELECT pg_advisory_lock($1::int, hashtext($2::text || ' ' || $3::int))"
UNFREEZE = "SELECT pg_advisory_unlock($1::int, hashtext($2::text || ' ' || $3::int))"
# Who is stopped in between must not hold the live generation for ever.
NO_REST, REST = "SET idle_session_timeout = '5s'", "RESET idle_session_timeout"
SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"


def standing(
    connection: psycopg.Connection[Any], projection: str, generation: int
) -> tuple[GenerationKey, int, list[str], bool]:
    """Say of a generation its key, where it stands, its tables (without generation) and whether events were left out.

    Raises StaleCheckpoint when it is gone.
    """
    row = connection.execute(STANDING, [projection, generation]).fetchone()
    if row is None:
        raise StaleCheckpoint(projection=projection, generation=generation)
    return GenerationKey(projection, generation, row[0]), row[1], row[2], row[3]


def meet(
    connection: psycopg.Connection[Any],
    reader: psycopg.Connection[Any],
    projection: str,
    live: int,
    other: int,
) -> int:
    """Hold the live generation, bring both to one position, open the reader's snapshot there, let go; return it.

    The other is fed by nobody else; what was left out of the live one is left out of it as well. The reader must have
    begun a transaction and executed nothing in it. Raises what a fold raises.
    """
    who = [DELIVERY_LOCK, projection, live]
    connection.execute(NO_REST)
    psycopg.RawCursor(connection).execute(FREEZE, who)
    try:
        live_key, live_position, _, has_left_out = standing(connection, projection, live)
        other_key, other_position, _, _ = standing(connection, projection, other)
        FOLDS.load(connection, [live_key, other_key])
        position = max(live_position, other_position)
        for key, begin in ((live_key, live_position), (other_key, other_position)):
            if begin < position:
                with connection.transaction():
                    settle_down(connection, options().statement_timeout_seconds, position - begin)
                    parked = [key] if has_left_out else []
                    advance(connection, [key], begin, position, parked=parked, letters_of=live_key)
        reader.execute(SNAPSHOT)
        standing(reader, projection, live)
    finally:
        if not connection.closed:
            psycopg.RawCursor(connection).execute(UNFREEZE, who)
            connection.execute(REST)
    return position
