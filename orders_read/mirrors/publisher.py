"""The publisher of the kind `mirror`: it learns from events which documents changed, reads them, and writes them whole.

The loop hands over no event that the source has not folded (publisher_lanes.sql). Which generations of the mirror are
fed is read after that and before the documents: a build that is not seen yet begins to copy later, and copies rows
that have these events in them.
"""

from collections.abc import Sequence
from typing import Any

import psycopg

from outbox.exceptions import SubscriberUnavailable
from outbox.publishers.contract import Event

from ..stores.choice import Chosen, all_chosen
from ..stores.contract import StoreUnavailable
from ..stores.documents import DOCUMENTS
from . import record
from .source import Source

UNKNOWN = "the settings of this process name no store for it"


class MirrorTarget:
    """One mirror, for one job of one partition."""

    event_types: Sequence[str] = ()
    with_personal = False
    largest_batch = 100

    def __init__(self, connection: psycopg.Connection[Any], mirror: Chosen) -> None:
        self.connection = connection
        self.mirror = mirror
        self.longest_call_seconds = mirror.store.longest_call_seconds

    def publish(self, events: Sequence[Event]) -> None:
        """Bring the documents that events concern to the store, as they are now."""
        try:
            write_documents(self.connection, self.mirror, keys_of(self.mirror, events))
        except (StoreUnavailable, psycopg.DatabaseError) as error:
            if self.connection.closed:
                raise
            raise SubscriberUnavailable(str(error).partition("\n")[0]) from error

    def note(self, connection: psycopg.Connection[Any]) -> None:
        """Note nothing: the checkpoint says it all."""

    def retry_seconds(self, attempts: int) -> float | None:
        """Say when an event of an unknown type is tried again; no other becomes a dead letter."""
        return 60.0

    def disable(self, connection: psycopg.Connection[Any], reason: str) -> None:
        """Do nothing: a mirror is never gone, but dropped by a person."""

    def close(self) -> None:
        """Leave the store's connections to the next job."""


class UnknownTarget(MirrorTarget):
    """A mirror that the settings of this process do not know, be they older or newer than others'."""

    longest_call_seconds = 1.0

    def __init__(self) -> None:
        """Know nothing."""

    def publish(self, events: Sequence[Event]) -> None:
        """Leave the events to a process that knows where they go."""
        raise SubscriberUnavailable(UNKNOWN)


class MirrorPublisher:
    """The publisher of the kind `mirror`."""

    def open(self, connection: psycopg.Connection[Any], subscriber: str) -> MirrorTarget:
        """Find the mirror's store in the settings."""
        found = next((one for one in all_chosen() if one.subscriber == subscriber), None)
        return MirrorTarget(connection, found) if found else UnknownTarget()


publisher = MirrorPublisher()


def keys_of(mirror: Chosen, events: Sequence[Event]) -> list[int]:
    """List the documents that events concern, each once."""
    documents = DOCUMENTS[mirror.read_model]
    keys = (documents.key_of(event.aggregate_type, event.aggregate_id, event.payload) for event in events)
    return sorted({key for key in keys if key is not None})


def write_documents(
    connection: psycopg.Connection[Any], mirror: Chosen, keys: Sequence[int], *, mended: bool = False
) -> int:
    """Read documents from the sources of all generations that are fed, and write them; return how many were newer.

    The one that is built gets them before the one that is shown, so that it is never older. What was `mended` may
    differ from what the store has under the same version. Raises StoreUnavailable.
    """
    if not keys:
        return 0
    fed = [one for one in record.generations(connection, mirror.subscriber) if one.state != "retired"]
    if not fed:
        raise StoreUnavailable("no generation of it is fed: build it with rebuild_mirror")
    written = 0
    for one in sorted(fed, key=lambda each: each.state != "building"):
        found = Source(DOCUMENTS[mirror.read_model], one.source_generation).read(connection, keys)
        expected = {each.key: str(each.version) for each in found} if mended else {}
        written += mirror.store.write([one.generation], found, expected)
    return written
