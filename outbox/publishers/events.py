"""Read the log for one lane: the next events of its partition, and those that wait behind a dead letter."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from django.utils.module_loading import import_string

from ..dead_letters import EventRef
from ..exceptions import UnknownEvent
from ..options import options
from ..statements import statement
from ..upcasters import read_as_today
from .contract import Event, Target
from .lanes import Lane

NEXT = statement("publisher_events")
PARKED = statement("publisher_parked_events")
MOST_POSITIONS = 5_000
MOST_EVENTS = 100


@dataclass(frozen=True, slots=True)
class Chunk:
    """What is next for a lane: its events of the log up to a position."""

    events: Sequence[Event]
    to_position: int


def next_chunk(
    connection: psycopg.Connection[Any], lane: Lane, target: Target, position: int, head: int
) -> Chunk:
    """Read what comes after a position."""
    end = min(head, position + MOST_POSITIONS)
    wishes = [list(target.event_types), target.with_personal]
    parameters = [position, end, lane.partition, lane.partitions, *wishes, lane.subscriber, MOST_EVENTS]
    events = _events(psycopg.RawCursor(connection).execute(_as_today(NEXT), parameters, prepare=True))
    return Chunk(events, events[-1].position if len(events) == MOST_EVENTS else end)


def parked_events(
    connection: psycopg.Connection[Any], target: Target, first: EventRef, up_to: int
) -> Sequence[Event]:
    """Read an event, and the next ones of its aggregate up to a position; the first is wanted in any case."""
    aggregate = [first.aggregate_type, first.aggregate_id, first.aggregate_version]
    parameters = [*aggregate, list(target.event_types), target.with_personal, up_to, MOST_EVENTS]
    return _events(psycopg.RawCursor(connection).execute(_as_today(PARKED), parameters))


def refuse_unknown(event: Event) -> None:
    """Raise UnknownEvent when no code of today knows the event's type and schema version."""
    if path := options().events:
        newest = import_string(path).get(event.event_type, 0)
        if event.schema_version > newest:
            raise UnknownEvent(f"no code knows {event.event_type} in schema version {event.schema_version}")


def _as_today(text: str) -> str:
    payload, schema_version = read_as_today("event")
    return text.format(payload=payload, schema_version=schema_version)


def _events(rows: psycopg.RawCursor[Any]) -> list[Event]:
    return [
        Event(
            position=row[0],
            event_id=row[1],
            event_type=row[2],
            schema_version=row[3],
            aggregate_type=row[4],
            aggregate_id=row[5],
            aggregate_version=row[6],
            payload=row[7],
            personal=row[8],
            occurred_at=row[9],
        )
        for row in rows
    ]
