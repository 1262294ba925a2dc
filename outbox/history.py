"""Read the event log: its head, what comes after a position, what happened to one aggregate."""

from django.db import connection
from django.db.models import Max

from .models import LoggedEvent

POSITION_OF = "SELECT position FROM event_log WHERE message_id = %s AND position > %s LIMIT 1"


def head() -> int:
    """Say the highest position; 0 for an empty log."""
    return LoggedEvent.objects.aggregate(head=Max("position"))["head"] or 0


def events_after(position: int, limit: int) -> list[LoggedEvent]:
    """Read the next events after a position, in order."""
    return list(LoggedEvent.objects.filter(position__gt=position).order_by("position")[:limit])


def aggregate_events(aggregate_type: str, aggregate_id: int) -> list[LoggedEvent]:
    """Read all events of one aggregate, in the order of their versions."""
    events = LoggedEvent.objects.filter(aggregate_type=aggregate_type, aggregate_id=aggregate_id)
    return list(events.order_by("aggregate_version"))


def position_of(message_id: int, after: int = 0) -> int | None:
    """Find the position of a message, None while it is not relayed.

    `after` is a head of the log from before the message was appended: older partitions need not be looked at.
    """
    with connection.cursor() as cursor:
        cursor.execute(POSITION_OF, [message_id, after])
        row = cursor.fetchone()
    return row[0] if row else None
