"""A publisher as a mirror's may be: takes many events at once, keeps them in memory, guarded by version."""

from collections.abc import Sequence
from typing import Any

import psycopg

from outbox.exceptions import SubscriberGone
from outbox.publishers.contract import Event


class Sink:
    """Publisher and target in one; `refuses` is an aggregate that it does not take."""

    event_types: Sequence[str] = ()
    with_personal = False
    largest_batch = 10
    longest_call_seconds = 1.0

    def __init__(self) -> None:
        self.documents: dict[int, int] = {}
        self.batches: list[list[int]] = []
        self.refuses = 0
        self.disabled = ""

    def open(self, connection: psycopg.Connection[Any], subscriber: str) -> "Sink":
        if subscriber == "unheard-of":
            raise SubscriberGone
        return self

    def publish(self, events: Sequence[Event]) -> None:
        self.batches.append([event.position for event in events])
        if any(event.aggregate_id == self.refuses for event in events):
            raise ZeroDivisionError
        for event in events:
            held = self.documents.get(event.aggregate_id, 0)
            self.documents[event.aggregate_id] = max(held, event.aggregate_version)

    def note(self, connection: psycopg.Connection[Any]) -> None:
        """Note nothing."""

    def retry_seconds(self, attempts: int) -> float | None:
        return 60.0 if attempts < 3 else None

    def disable(self, connection: psycopg.Connection[Any], reason: str) -> None:
        self.disabled = reason

    def close(self) -> None:
        """Close nothing."""


sink = Sink()
