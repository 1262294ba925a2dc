"""Say beforehand how long a rebuild will take, and how much room."""

from dataclasses import dataclass

from outbox.connection import connect, one_value
from outbox.subscribers import Projection, table_name

from . import record

USUAL_EVENTS_PER_SECOND = 20_000.0

HEAD = "SELECT coalesce(max(position), 0) FROM event_log"
LIVE = (
    "SELECT coalesce(max(generation), 0) FROM projection_generations WHERE projection = %s AND state = 'live'"
)
SIZE = "SELECT coalesce(sum(pg_total_relation_size(to_regclass(name))), 0)::bigint FROM unnest(%s::text[]) AS name"


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long a rebuild takes, from the rate of earlier ones, or a usual one; its size from the live tables."""

    projection: str
    events: int
    events_per_second: float
    seconds: float
    bytes: int


def estimate(projection: Projection) -> Estimate:
    """Estimate the rebuild of one projection; changes nothing."""
    with connect("estimate") as connection:
        events = int(one_value(connection.execute(HEAD)))
        rate = record.rates(connection).get(projection.name, USUAL_EVENTS_PER_SECOND)
        live = one_value(connection.execute(LIVE, [projection.name]))
        tables = [table_name(table.name, live) for table in projection.tables]
        size = one_value(connection.execute(SIZE, [tables]))
    return Estimate(projection.name, events, rate, events / rate, size)
