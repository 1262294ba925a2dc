"""What operators do with webhook endpoints; the admin and the commands of manage.py both come here.

Each function is one transaction, records who did it, and tells the workers.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import psycopg
from django.db import connection, transaction
from django.utils import timezone
from uuid_utils.compat import uuid7

from .. import actions, history, retention
from ..changes import announce
from ..exceptions import LogIsPruned, PublishingFailed, UnknownSubscribers
from ..models import LoggedEvent
from ..subscribers import projections
from ..upcasters import read_as_today
from . import lanes, webhooks
from .addresses import check_url
from .contract import Event
from .models import PublisherRow, WebhookDelivery, WebhookEndpoint
from .signatures import new_secret
from .webhooks import Note

KIND = "webhook"
PING = "WebhookPing"
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
MOST_PARTITIONS = 64
KEEP_SECRET_HOURS = 24

SET_BACK = "DELETE FROM checkpoints WHERE subscriber = ANY (%s)"
FORGET_FAILURE = "DELETE FROM delivery_failures WHERE subscriber = %s AND generation = 1"
CLOSE_LETTERS = """
UPDATE dead_letters SET state = 'skipped', next_attempt_at = NULL, settled_at = clock_timestamp()
 WHERE subscriber = %s AND state IN ('waiting', 'parked')
"""
PERSONAL = "SELECT data::text FROM event_personal WHERE event_id = %s"
PAYLOAD = "SELECT ({payload})::text FROM event_log WHERE position = %s"


def check_name(name: str) -> None:
    """Raise ValueError for a name that an endpoint cannot have."""
    if not NAME.fullmatch(name):
        raise ValueError("Give a name of small letters, digits, - and _, at most 63 of them.")
    if name in {one.name for one in projections()}:
        raise ValueError(f"{name} is the name of a projection.")
    if PublisherRow.objects.filter(subscriber=name).exists():
        raise ValueError(f"There is an endpoint named {name} already.")


def check_log_after(position: int) -> None:
    """Raise ValueError where an endpoint would miss events that were pruned; none are until the transaction ends."""
    connection.ensure_connection()
    try:
        retention.require_log_after(_raw(), position)
    except LogIsPruned as error:
        first = int(str(error.details["pruned_up_to"])) + 1
        raise ValueError(f"The log begins at position {first}: attach what was pruned first.") from error


@transaction.atomic
def add(
    actor: str,
    name: str,
    url: str,
    *,
    description: str = "",
    event_types: Sequence[str] = (),
    with_personal: bool = False,
    partitions: int = 1,
    from_beginning: bool = False,
) -> str:
    """Add an endpoint and return its secret; it gets what happens from now on, or all that ever did.

    Raises ValueError, with what to do, for a name or an address that will not do.
    """
    check_name(name)
    check_url(url)
    from_position = 0 if from_beginning else history.head()
    if from_beginning:
        check_log_after(0)
    secret = new_secret()
    PublisherRow.objects.create(
        subscriber=name, kind=KIND, partitions=partitions, from_position=from_position
    )
    WebhookEndpoint.objects.create(
        subscriber=name,
        url=url,
        description=description,
        event_types=list(event_types),
        with_personal=with_personal,
        secret=secret,
    )
    _tell(actor, "add_webhook", name, url=url, from_position=from_position, partitions=partitions)
    return secret


@transaction.atomic
def change(actor: str, name: str, **changes: Any) -> None:
    """Change address, description or wishes of an endpoint; raises ValueError for an address that will not do."""
    if url := changes.get("url"):
        check_url(url)
    endpoint = _locked(name)
    for field, value in changes.items():
        setattr(endpoint, field, value)
    endpoint.save(update_fields=list(changes))
    _execute(FORGET_FAILURE, name)  # what failed may well be mended
    _tell(actor, "change_webhook", name, **changes)


@transaction.atomic
def rotate_secret(actor: str, name: str, keep_hours: float = KEEP_SECRET_HOURS) -> str:
    """Give an endpoint a new secret and return it; webhooks are signed with the old one too for so many hours."""
    endpoint = _locked(name)
    endpoint.previous_secret, endpoint.secret = endpoint.secret, new_secret()
    endpoint.previous_secret_until = timezone.now() + timedelta(hours=keep_hours)
    endpoint.save(update_fields=["previous_secret", "previous_secret_until", "secret"])
    _tell(actor, "rotate_webhook_secret", name, keep_hours=keep_hours)
    return endpoint.secret


@transaction.atomic
def enable(actor: str, name: str) -> None:
    """Give an endpoint events again, beginning with those that it missed; at once, whatever failed before.

    Raises ValueError when they were pruned meanwhile.
    """
    endpoint = _locked(name)
    endpoint.disabled_reason = ""
    endpoint.save(update_fields=["disabled_reason"])
    PublisherRow.objects.filter(subscriber=name).update(is_enabled=True)
    check_log_after(retention.publisher_standing(_raw(), name))
    _execute(FORGET_FAILURE, name)
    _tell(actor, "enable_webhook", name)


@transaction.atomic
def disable(actor: str, name: str, reason: str) -> None:
    """Give an endpoint nothing any more, until it is enabled; the log need not be kept for it."""
    endpoint = _locked(name)
    endpoint.disabled_reason = reason
    endpoint.save(update_fields=["disabled_reason"])
    PublisherRow.objects.filter(subscriber=name).update(is_enabled=False)
    _tell(actor, "disable_webhook", name, reason)


@transaction.atomic
def remove(actor: str, name: str) -> None:
    """Remove an endpoint; its deliveries stay until they are swept."""
    _locked(name)
    lanes.hold(_raw(), name)
    publisher = PublisherRow.objects.get(subscriber=name)
    _execute(SET_BACK, _lane_names(publisher))
    _execute(CLOSE_LETTERS, name)
    _execute(FORGET_FAILURE, name)
    WebhookEndpoint.objects.filter(subscriber=name).delete()
    publisher.delete()
    _tell(actor, "remove_webhook", name)


def count_from(name: str, position: int) -> int:
    """Count the events from a position on that an endpoint wants; raises UnknownSubscribers."""
    try:
        endpoint = WebhookEndpoint.objects.get(subscriber=name)
    except WebhookEndpoint.DoesNotExist:
        raise unknown(name) from None
    events = LoggedEvent.objects.filter(position__gte=position)
    return (events.filter(event_type__in=endpoint.event_types) if endpoint.event_types else events).count()


@transaction.atomic
def replay_from(actor: str, name: str, position: int) -> int:
    """Set an endpoint back, so that it gets every event from a position on once more; return how many those are.

    A worker that is at it cannot move the checkpoint any more: the rows that it would follow are gone.
    """
    if not 1 <= position <= history.head() + 1:
        raise ValueError(f"Give a position from 1 to {history.head()}, where the log ends.")
    check_log_after(position - 1)
    _locked(name)
    lanes.hold(_raw(), name)
    publisher = PublisherRow.objects.get(subscriber=name)
    publisher.from_position = position - 1
    publisher.save(update_fields=["from_position"])
    _execute(SET_BACK, _lane_names(publisher))
    for partition in range(publisher.partitions):
        lanes.begin(_raw(), lanes.Lane(name, publisher.kind, partition, publisher.partitions))
    events = count_from(name, position)
    _tell(actor, "replay_webhook", name, from_position=position, events=events)
    return events


def replay_delivery(actor: str, delivery: WebhookDelivery) -> Note:
    """Post the event of a delivery once more, now, whatever else waits; return what came of it."""
    if delivery.position is None:
        return ping(actor, delivery.subscriber)
    event = _event(history.event_at(delivery.position), delivery.subscriber)
    return _send(actor, "replay_webhook_delivery", delivery.subscriber, event)


def ping(actor: str, name: str) -> Note:
    """Post a test event, now; return what came of it."""
    event = Event(
        position=0,
        event_id=uuid7(),
        event_type=PING,
        schema_version=1,
        aggregate_type="webhook_endpoint",
        aggregate_id=0,
        aggregate_version=1,
        payload="{}",
        personal=None,
        occurred_at=timezone.now(),
    )
    return _send(actor, "ping_webhook", name, event)


def unknown(name: str) -> UnknownSubscribers:
    """Make the error that says which endpoints there are."""
    known = WebhookEndpoint.objects.order_by("subscriber").values_list("subscriber", flat=True)
    return UnknownSubscribers(unknown=[name], known=list(known))


def _send(actor: str, action: str, name: str, event: Event) -> Note:
    """Post an event outside any transaction, then write down what came of it."""
    connection.ensure_connection()
    try:
        target = webhooks.publisher.open(_raw(), name)
    except PublishingFailed as error:
        raise unknown(name) from error
    try:
        target.publish([event])
    except PublishingFailed:
        pass  # the note says it
    finally:
        target.close()
    note = target.notes[-1]
    with transaction.atomic():
        target.note(_raw())
        actions.record(connection, actor, action, name, event_id=str(event.event_id), outcome=note.outcome)
    return note


def _event(logged: LoggedEvent, name: str) -> Event:
    with connection.cursor() as cursor:
        cursor.execute(PAYLOAD.format(payload=read_as_today()[0]), [logged.position])
        (payload,) = cursor.fetchone()
        personal = None
        if WebhookEndpoint.objects.filter(subscriber=name, with_personal=True).exists():
            cursor.execute(PERSONAL, [logged.event_id])
            personal = next(iter(cursor.fetchone() or ()), None)
    return Event(
        position=logged.position,
        event_id=logged.event_id,
        event_type=logged.event_type,
        schema_version=logged.schema_version,
        aggregate_type=logged.aggregate_type,
        aggregate_id=logged.aggregate_id,
        aggregate_version=logged.aggregate_version,
        payload=payload,
        personal=personal,
        occurred_at=logged.occurred_at,
    )


def _locked(name: str) -> WebhookEndpoint:
    try:
        return WebhookEndpoint.objects.select_for_update().get(subscriber=name)
    except WebhookEndpoint.DoesNotExist:
        raise unknown(name) from None


def _lane_names(publisher: PublisherRow) -> list[str]:
    return [
        lanes.Lane(publisher.subscriber, publisher.kind, partition, publisher.partitions).name
        for partition in range(publisher.partitions)
    ]


def _raw() -> psycopg.Connection[Any]:
    raw: psycopg.Connection[Any] = connection.connection
    return raw


def _execute(statement: str, parameter: str | list[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, [parameter])


def _tell(actor: str, action: str, name: str, reason: str = "", **details: Any) -> None:
    actions.record(connection, actor, action, name, reason, **details)
    announce()
