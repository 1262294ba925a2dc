"""How far the store of a read model has come: what a read that shows a token must wait for."""

from dataclasses import dataclass

from django.db import connection

from ..answering import require_database
from .choice import chosen

# Where the slowest lane stands; before that, what an event changed that was folded late and is not in the store yet.
STANDING = """
WITH standing AS (
    SELECT subscriber, least(
               min(coalesce((SELECT to_position FROM checkpoints
                              WHERE checkpoints.subscriber
                                    = publisher.subscriber || ' ' || partition || '/' || partitions
                                AND generation = 1
                              ORDER BY from_position DESC LIMIT 1), from_position)),
               (SELECT min(position) - 1 FROM touched_documents AS touched
                 WHERE touched.subscriber = publisher.subscriber)) AS position
      FROM publishers AS publisher CROSS JOIN LATERAL generate_series(0, partitions - 1) AS partition
     WHERE publisher.subscriber = %s
     GROUP BY subscriber
)
SELECT position, EXISTS (SELECT FROM paused_subscribers AS pause WHERE pause.subscriber = standing.subscriber),
       coalesce(extract(epoch FROM clock_timestamp() - (
           SELECT recorded_at FROM event_log AS event WHERE event.position = standing.position + 1)), 0)::float8,
       EXISTS (SELECT FROM delivery_failures AS failure WHERE failure.subscriber = standing.subscriber)
  FROM standing
"""


@dataclass(frozen=True, slots=True)
class StorePosition:
    """Where a store stands; `lag_seconds` is the age of the oldest event in the log that it has not taken in."""

    position: int
    is_paused: bool
    lag_seconds: float


def position_of_store(read_model: str) -> StorePosition | None:
    """Say where the store stands that answers for a read model; None where PostgreSQL does.

    It does too while the store is away, from readers or from the mirror, or holds nothing yet, if it may: then its own
    position is what counts.
    """
    found = chosen(read_model)
    if found is None:
        return None
    if found.falls_back and found.breaker.is_open:
        require_database(read_model)  # the trial that finds the store again may find it behind
        return None
    with connection.cursor() as cursor:
        cursor.execute(STANDING, [found.subscriber])
        row = cursor.fetchone()
    if row is None:
        return None
    *standing, is_failing = row
    if found.falls_back and is_failing:
        require_database(read_model)  # or who shows tokens would wait for as long as the mirror does
        return None
    return StorePosition(*standing)
