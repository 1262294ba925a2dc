"""What a publisher is: code that brings events to one kind of subscriber outside this database.

The loop gives it, per subscriber and partition, the events in the order of the log, and promises:

* Order: the events of one aggregate come one after the other, by one caller at a time; a later one waits until the
  earlier one was taken, or skipped by a person. Aggregates are spread over partitions by hash.
* At least once: the checkpoint moves after the effects, so after a crash or a cut connection the newest events come
  again, and a caller that was believed dead may still finish the call that it is in.

A publisher promises in return that a repeated event does no harm, as the other side alone can tell what it has. A
mirror writes whole documents guarded by version (an older or equal one changes nothing), so that writes are
idempotent and late ones are lost with right. Webhooks carry the event's id, by which the receiver knows a repetition.

Every call of a publisher to the outside ends by itself within a time that it knows. How it ends decides what is next:
nothing raised is success; `SubscriberUnavailable` opens the subscriber's breaker; `SubscriberGone` disables the
subscriber; anything else makes the event a dead letter, behind which only its own aggregate waits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import psycopg

from ..dead_letters import EventRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event of the log as publishers see it; `payload` and `personal` are JSON texts.

    `personal` is None unless the target asks for it, and where it was erased or never said.
    """

    position: int
    event_id: UUID
    event_type: str
    schema_version: int
    aggregate_type: str
    aggregate_id: int
    aggregate_version: int
    payload: str
    personal: str | None
    occurred_at: datetime

    @property
    def aggregate(self) -> tuple[str, int]:
        """Name the aggregate."""
        return self.aggregate_type, self.aggregate_id

    @property
    def ref(self) -> EventRef:
        """Name the event as dead letters do."""
        return EventRef(
            self.position,
            self.event_type,
            self.schema_version,
            self.aggregate_type,
            self.aggregate_id,
            self.aggregate_version,
        )


class Target(Protocol):
    """One subscriber as its publisher found it, for one job of one partition.

    No `event_types` means all of them. `publish` gets up to `largest_batch` events at once; when a batch of several
    fails, its events are given again one by one.
    """

    event_types: Sequence[str]
    with_personal: bool
    largest_batch: int
    longest_call_seconds: float

    def publish(self, events: Sequence[Event]) -> None:
        """Bring events to the subscriber; raise when they were not taken."""

    def note(self, connection: psycopg.Connection[Any]) -> None:
        """Write down what `publish` did since the last time, in the transaction that records what came of it."""

    def retry_seconds(self, attempts: int) -> float | None:
        """Say how long after so many failed attempts an event is tried again; None leaves it to a person."""

    def disable(self, connection: psycopg.Connection[Any], reason: str) -> None:
        """Give the subscriber nothing any more, until a person enables it."""

    def close(self) -> None:
        """Give back what was opened."""


class Publisher(Protocol):
    """Code for one kind of subscriber; `settings.OUTBOX["PUBLISHERS"]` names one object for each kind."""

    def open(self, connection: psycopg.Connection[Any], subscriber: str) -> Target:
        """Read what is known of a subscriber; raises SubscriberGone when that is nothing."""
