"""Signed webhooks: the publisher that posts each event to an endpoint, as Standard Webhooks says.

2xx: taken. 410: the endpoint is disabled. 429 and 503: the endpoint asks for a pause. Any other 4xx refuses this one
event, which becomes a dead letter of its aggregate. All else says that the endpoint is away; where it might be for
this event only (a 5xx, no answer), the loop finds out.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson
import psycopg

from ..exceptions import EventRefused, PublishingFailed, SubscriberGone, SubscriberUnavailable
from ..options import options
from .calls import Answer, Endpoint
from .contract import Event
from .signatures import headers

ENDPOINT = """
SELECT url, event_types, with_personal,
       secret, CASE WHEN previous_secret_until > clock_timestamp() THEN previous_secret ELSE '' END
  FROM webhook_endpoints WHERE subscriber = $1::text
"""
NOTE = """
INSERT INTO webhook_deliveries (subscriber, position, event_id, event_type, aggregate_type, aggregate_id,
       aggregate_version, outcome, response_status, error, duration_seconds, attempted_at)
SELECT $1::text, note.* FROM unnest($2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::bigint[],
       $8::text[], $9::smallint[], $10::text[], $11::float8[], $12::timestamptz[]) AS note
"""
DISABLE = "UPDATE webhook_endpoints SET disabled_reason = $2::text WHERE subscriber = $1::text"
DISABLE_PUBLISHER = "UPDATE publishers SET is_enabled = false WHERE subscriber = $1::text"

JITTER = 0.2
LONGEST_ERROR = 500


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is known of an endpoint; a second secret is one that is being replaced."""

    url: str
    event_types: Sequence[str]
    with_personal: bool
    secrets: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What became of one call."""

    event: Event
    attempted_at: datetime
    duration_seconds: float
    outcome: str = "delivered"
    response_status: int | None = None
    error: str = ""


class WebhookTarget:
    """One endpoint, for one job of one partition; a webhook carries one event."""

    largest_batch = 1

    def __init__(self, subscriber: str, wishes: Wishes) -> None:
        self.subscriber = subscriber
        self.event_types = wishes.event_types
        self.with_personal = wishes.with_personal
        self.notes: list[Note] = []
        self._secrets = wishes.secrets
        self._endpoint = Endpoint(wishes.url)

    @property
    def longest_call_seconds(self) -> float:
        """Add up what a call may take: finding the address, connecting, and the rest."""
        return 2 * options().webhook_connect_timeout_seconds + options().webhook_timeout_seconds

    def publish(self, events: Sequence[Event]) -> None:
        """Post events, one by one, each signed anew; a repeated one has the id of the first."""
        for event in events:
            self._post(event)

    def _post(self, event: Event) -> None:
        content = body(event)
        began, note = time.monotonic(), Note(event=event, attempted_at=datetime.now(UTC), duration_seconds=0)
        try:
            signed = headers(str(event.event_id), int(time.time()), content, self._secrets)
            answer = self._endpoint.post(content, {"Content-Type": "application/json", **signed})
            note = replace(note, response_status=answer.status)
            judge(answer)
        except PublishingFailed as error:
            note = replace(note, outcome=_outcome(error), error=str(error)[:LONGEST_ERROR])
            raise
        finally:
            self.notes.append(replace(note, duration_seconds=time.monotonic() - began))

    def note(self, connection: psycopg.Connection[Any]) -> None:
        """Add a row for each call since the last time."""
        if self.notes:
            write(connection, self.subscriber, self.notes)
            self.notes = []

    def retry_seconds(self, attempts: int) -> float | None:
        """Follow the schedule of the settings, a little later by chance."""
        pauses = options().webhook_retry_seconds
        if attempts > len(pauses):
            return None
        return pauses[attempts - 1] * (1 + JITTER * random.random())  # noqa: S311 – spreads calls, guards nothing

    def disable(self, connection: psycopg.Connection[Any], reason: str) -> None:
        """Disable the endpoint and say why."""
        psycopg.RawCursor(connection).execute(DISABLE, [self.subscriber, reason])
        psycopg.RawCursor(connection).execute(DISABLE_PUBLISHER, [self.subscriber])

    def close(self) -> None:
        """Close the connection."""
        self._endpoint.close()


class WebhookPublisher:
    """The publisher of the kind `webhook`."""

    def open(self, connection: psycopg.Connection[Any], subscriber: str) -> WebhookTarget:
        """Read address, secrets and wishes of an endpoint; raises SubscriberGone when there is none."""
        row = psycopg.RawCursor(connection).execute(ENDPOINT, [subscriber]).fetchone()
        if row is None:
            raise SubscriberGone(f"there is no endpoint named {subscriber}")
        url, event_types, with_personal, *secrets = row
        return WebhookTarget(
            subscriber, Wishes(url, event_types, with_personal, [key for key in secrets if key])
        )


publisher = WebhookPublisher()


def body(event: Event) -> bytes:
    """Write an event as JSON; ids and positions are texts, as they may exceed what JavaScript counts exactly."""
    data = {
        "aggregate_type": event.aggregate_type,
        "aggregate_id": str(event.aggregate_id),
        "aggregate_version": event.aggregate_version,
        "position": str(event.position),
        "schema_version": event.schema_version,
        "payload": orjson.Fragment(event.payload),
    }
    if event.personal is not None:
        data["personal"] = orjson.Fragment(event.personal)
    return orjson.dumps({"type": event.event_type, "timestamp": event.occurred_at, "data": data})


def judge(answer: Answer) -> None:
    """Raise what an answer means, unless it means success."""
    status = answer.status
    if 200 <= status < 300:
        return
    if status == 410:
        raise SubscriberGone("the endpoint answered 410 Gone")
    if status in {429, 503}:
        wanted = _retry_after_seconds(answer.retry_after)
        raise SubscriberUnavailable(f"the endpoint answered {status}", retry_after_seconds=wanted)
    if 400 <= status < 500:
        raise EventRefused(f"the endpoint answered {status}")
    if 300 <= status < 400:
        raise SubscriberUnavailable(f"the endpoint answered {status}; redirects are not followed")
    raise SubscriberUnavailable(f"the endpoint answered {status}", may_be_the_event=True)


def write(connection: psycopg.Connection[Any], subscriber: str, notes: Sequence[Note]) -> None:
    """Insert notes of calls, in the caller's transaction."""
    columns = [
        [note.event.position or None for note in notes],
        [note.event.event_id for note in notes],
        [note.event.event_type for note in notes],
        [note.event.aggregate_type for note in notes],
        [note.event.aggregate_id for note in notes],
        [note.event.aggregate_version for note in notes],
        [note.outcome for note in notes],
        [note.response_status for note in notes],
        [note.error for note in notes],
        [note.duration_seconds for note in notes],
        [note.attempted_at for note in notes],
    ]
    psycopg.RawCursor(connection).execute(NOTE, [subscriber, *columns], prepare=True)


def _outcome(error: PublishingFailed) -> str:
    if isinstance(error, SubscriberGone):
        return "gone"
    return "unavailable" if isinstance(error, SubscriberUnavailable) else "refused"


def _retry_after_seconds(text: str) -> float | None:
    """Read a Retry-After header, seconds or a date, within bounds; None when it says nothing."""
    try:
        seconds = (
            float(int(text))
            if text.isdigit()
            else (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
        )
    except (ValueError, TypeError):
        return None
    return min(
        max(seconds, options().publisher_first_pause_seconds), options().webhook_longest_retry_after_seconds
    )
