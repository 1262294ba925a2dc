"""What the tests of the outbox share: messages, stepped writers, and a projection that shows what reached it."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
from uuid_utils.compat import uuid7

from orders_write.events import SCHEMA_VERSIONS
from outbox.append import APPEND
from outbox.messages import Message, Metadata
from outbox.subscribers import Projection, Table, table_name

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
KIND = "parcel"
EVENTS = SCHEMA_VERSIONS | {"ParcelMoved": 1, "Poison": 1}  # known in tests, to their workers too

SEEN = """
INSERT INTO {table} (aggregate_id, versions, row_version)
SELECT aggregate_id, array_agg(aggregate_version ORDER BY position), max(position)
  FROM batch WHERE aggregate_type = 'parcel'
 GROUP BY aggregate_id ORDER BY aggregate_id
ON CONFLICT (aggregate_id) DO UPDATE
   SET versions = {table}.versions || excluded.versions, row_version = excluded.row_version
"""
SEEN_COLUMNS = "aggregate_id bigint PRIMARY KEY, versions bigint[] NOT NULL, row_version bigint NOT NULL"
FRAGILE = SEEN.replace("max(position)", "max(position / (event_type <> 'Poison')::int)")


def seen(name: str = "seen", fold: str = SEEN) -> Projection:
    """Make a projection whose table shows, for each aggregate, the versions in the order of their arrival."""
    table = Table(name=name, columns_ddl=SEEN_COLUMNS, fold=fold)
    return Projection(name=name, version=1, question="What arrived here, in which order?", tables=(table,))


def message(aggregate_id: int = 1, version: int = 1, **fields: Any) -> Message:
    """Make a message of a parcel."""
    given = {
        "event_id": uuid7(),
        "event_type": "ParcelMoved",
        "schema_version": 1,
        "aggregate_type": KIND,
        "aggregate_id": aggregate_id,
        "aggregate_version": version,
        "payload": '{"to": "Leeds"}',
        "metadata": Metadata(actor="user:1"),
        "occurred_at": NOW,
    }
    return Message(**given | fields)


def put(
    connection: psycopg.Connection[Any], *aggregates: tuple[int, int], event_type: str = "ParcelMoved"
) -> None:
    """Insert messages (aggregate, version) in a connection's open transaction, with the statement that append uses."""
    rows = [
        {
            "event_id": str(uuid7()),
            "event_type": event_type,
            "schema_version": 1,
            "aggregate_type": KIND,
            "aggregate_id": aggregate_id,
            "aggregate_version": version,
            "payload": {},
            "metadata": {},
            "occurred_at": NOW.isoformat(),
        }
        for aggregate_id, version in aggregates
    ]
    psycopg.RawCursor(connection).execute(APPEND, [json.dumps(rows)])


class World:
    """A database with projections of its own, and connections that go step by step."""

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]]) -> None:
        self._connect = connect
        self._opened: list[psycopg.Connection[Any]] = []
        self.watcher = self.worker()

    def writer(self) -> psycopg.Connection[Any]:
        """Open a client whose transaction begins with its first statement and ends by commit or rollback."""
        self._opened.append(self._connect())
        return self._opened[-1]

    def close_clients(self) -> None:
        """Close everybody but the watcher."""
        for connection in self._opened[1:]:
            connection.close()
        del self._opened[1:]

    def worker(self) -> psycopg.Connection[Any]:
        """Open a client in autocommit."""
        connection = self.writer()
        connection.autocommit = True
        return connection

    def commit(self, *aggregates: tuple[int, int], event_type: str = "ParcelMoved") -> None:
        """Put messages and commit them, in one transaction."""
        with self.watcher.transaction():
            put(self.watcher, *aggregates, event_type=event_type)

    def ask(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a query on a connection of its own."""
        return psycopg.RawCursor(self.watcher).execute(query, parameters).fetchall()

    def positions(self) -> list[int]:
        """Read all positions of the log."""
        return [position for (position,) in self.ask("SELECT position FROM event_log ORDER BY position")]

    def versions(self, name: str = "seen", generation: int = 1) -> dict[int, list[int]]:
        """Read what reached a projection: the versions of each aggregate in the order of arrival."""
        return dict(self.ask(f"SELECT aggregate_id, versions FROM {table_name(name, generation)}"))

    def checkpoint(self, name: str = "seen", generation: int = 1) -> int:
        """Read how far a projection has come."""
        query = (
            "SELECT coalesce(max(to_position), 0) FROM checkpoints WHERE subscriber = $1 AND generation = $2"
        )
        return int(self.ask(query, name, generation)[0][0])


def wait_until(happened: Callable[[], bool], seconds: float = 10) -> bool:
    """Look again and again until something has happened, or the time is over; say which."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if happened():
            return True
        time.sleep(0.005)
    return False
