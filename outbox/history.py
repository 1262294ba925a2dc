"""Read the event log: its head, what comes after a position, what happened to one aggregate."""

from typing import Any

from django.db import connection
from django.db.models import Max

from .models import LoggedEvent
from .upcasters import read_as_today

EVENTS = """
SELECT position, message_id, event_id, event_type, {schema_version} AS schema_version, aggregate_type, aggregate_id,
       aggregate_version, {payload} AS payload, metadata, occurred_at, recorded_at
  FROM event_log WHERE {which}
"""

POSITION_OF = """
SELECT (SELECT position FROM event_log WHERE message_id = %(message_id)s AND position > %(after)s LIMIT 1),
       (SELECT position FROM event_log WHERE position > %(after)s ORDER BY position LIMIT 1)
"""

# A message is in the outbox, in the log, or pruned; one statement, or it might be moved between two looks.
IS_PRUNED = """
SELECT NOT EXISTS (SELECT FROM outbox WHERE message_id = %(message_id)s)
   AND NOT EXISTS (SELECT FROM event_log WHERE message_id = %(message_id)s)
"""

# A replica cannot tell: what it does not have may be on its way.
IS_FUTURE = """
SELECT NOT pg_is_in_recovery()
   AND (%(message_id)s > coalesce(pg_sequence_last_value('outbox_message_id_seq'), 0)
        OR %(position)s > coalesce((SELECT max(position) FROM event_log), 0))
"""


def head() -> int:
    """Say the highest position; 0 for an empty log."""
    return LoggedEvent.objects.aggregate(head=Max("position"))["head"] or 0


def events_after(position: int, limit: int) -> list[LoggedEvent]:
    """Read the next events after a position, in order, in today's form."""
    return _events("position > %s ORDER BY position LIMIT %s", [position, limit])


def aggregate_events(aggregate_type: str, aggregate_id: int) -> list[LoggedEvent]:
    """Read all events of one aggregate, in the order of their versions, in today's form."""
    which = "aggregate_type = %s AND aggregate_id = %s ORDER BY aggregate_version"
    return _events(which, [aggregate_type, aggregate_id])


def event_at(position: int) -> LoggedEvent:
    """Read one event in today's form; raises LoggedEvent.DoesNotExist."""
    found = _events("position = %s", [position])
    if not found:
        raise LoggedEvent.DoesNotExist(position)
    return found[0]


def _events(which: str, parameters: list[Any]) -> list[LoggedEvent]:
    payload, schema_version = read_as_today()
    statement = EVENTS.format(payload=payload, schema_version=schema_version, which=which)
    return list(LoggedEvent.objects.raw(statement, parameters))


def position_of(message_id: int, after: int = 0) -> int | None:
    """Find the position of a message, None while it is not relayed.

    `after` is a head of the log from before the message was appended: older partitions need not be looked at. For a
    message that was pruned it answers the last position before the events that are left: every subscriber has passed
    that.
    """
    asked = {"message_id": message_id, "after": after}
    with connection.cursor() as cursor:
        cursor.execute(POSITION_OF, asked)
        position: int | None
        position, following = cursor.fetchone()
        if position is None and following is not None and following > after + 1:
            cursor.execute(IS_PRUNED, asked)
            position = following - 1 if cursor.fetchone()[0] else None
    return position


def is_future(message_id: int, position: int) -> bool:
    """Say whether no such message or position was ever given; always False on a replica."""
    with connection.cursor() as cursor:
        cursor.execute(IS_FUTURE, {"message_id": message_id, "position": position})
        answer: bool
        (answer,) = cursor.fetchone()
    return answer
