"""What the database holds when all is quiet: the log, the write model, the read models, and how delivery stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import psycopg
from psycopg.rows import dict_row

from orders_write.events import Event, event_from

PREPARATION = "preparation"
WRITE_TABLES = (
    "orders", "order_items", "payments", "products", "stock", "credit_accounts", "credit_notes", "credit_note_lines"
)  # fmt: skip
LOG = """
SELECT position, message_id, event_log.event_id, event_type, aggregate_type, aggregate_id, aggregate_version AS version,
       payload, metadata, occurred_at, recorded_at, data AS personal
  FROM event_log LEFT JOIN event_personal USING (event_id)
 ORDER BY position
"""
STANDING = """
SELECT projection AS subscriber, generation,
       coalesce((SELECT max(to_position) FROM checkpoints
                  WHERE subscriber = projection AND generation = fed.generation), 0) AS position
  FROM projection_generations AS fed WHERE state IN ('live', 'kept')
 UNION ALL
SELECT lane, 1, coalesce((SELECT max(to_position) FROM checkpoints WHERE checkpoints.subscriber = lane), from_position)
  FROM publishers, generate_series(0, partitions - 1) AS partition,
       concat(publishers.subscriber, ' ', partition, '/', partitions) AS lane
"""
OPEN_LETTERS = "SELECT * FROM dead_letters WHERE state IN ('waiting', 'parked')"
SETTLED_LETTERS = "SELECT * FROM dead_letters WHERE state IN ('delivered', 'skipped')"
STORED = "SELECT scope, key, status, body FROM idempotency_keys"
READ_MODELS = """
SELECT DISTINCT regexp_replace(stored ->> 'table', '_g[0-9]+$', '') AS relname
  FROM projection_generations, jsonb_array_elements(statements) AS stored WHERE state = 'live' ORDER BY 1
"""
DOCUMENT = "document"

Row = dict[str, Any]


@dataclass(kw_only=True)
class Logged:
    """One event of the log, envelope and all."""

    position: int
    message_id: int
    event_id: Any
    event_type: str
    aggregate_type: str
    aggregate_id: int
    version: int
    payload: Mapping[str, Any]
    metadata: Mapping[str, Any]
    occurred_at: datetime
    recorded_at: datetime
    personal: Mapping[str, str] | None = None

    @cached_property
    def event(self) -> Event:
        """The event as the domain knows it."""
        return event_from(self.event_type, self.payload)

    @property
    def correlation(self) -> str:
        """The operation that it belongs to."""
        return str(self.metadata.get("correlation_id", ""))

    @property
    def aggregate(self) -> tuple[str, int]:
        """The aggregate's type and id."""
        return self.aggregate_type, self.aggregate_id


@dataclass(kw_only=True)
class Snapshot:
    """Everything that the checks look at; `waiting` counts messages in the outbox."""

    log: list[Logged]
    written: dict[str, list[Row]] = field(default_factory=dict)
    read: dict[str, list[Row]] = field(default_factory=dict)
    answers: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    standing: list[Row] = field(default_factory=list)
    failures: list[Row] = field(default_factory=list)
    letters: list[Row] = field(default_factory=list)
    settled: list[Row] = field(default_factory=list)
    waiting: int = 0


def take(connection: psycopg.Connection[Any]) -> Snapshot:
    """Read all of it in one transaction, so that everything is of the same moment."""
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

        def rows(query: str) -> list[Row]:
            return cursor.execute(query).fetchall()

        models = [row["relname"].removeprefix("read_") for row in rows(READ_MODELS)]
        return Snapshot(
            log=[Logged(**row) for row in rows(LOG)],
            written={table: rows(f"SELECT * FROM {table}") for table in WRITE_TABLES},
            read={model: rows(f"SELECT * FROM read_{model}") for model in models},
            answers={(row["scope"], row["key"]): (row["status"], row["body"]) for row in rows(STORED)},
            standing=rows(STANDING),
            failures=rows("SELECT * FROM delivery_failures"),
            letters=rows(OPEN_LETTERS),
            settled=rows(SETTLED_LETTERS),
            waiting=rows("SELECT count(*) AS messages FROM outbox")[0]["messages"],
        )


def effects(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """Count the events of each operation, in the outbox and in the log."""
    named = "SELECT metadata ->> 'correlation_id' AS op FROM {}"
    both = f"{named.format('outbox')} UNION ALL {named.format('event_log')}"
    return dict(connection.execute(f"SELECT op, count(*) FROM ({both}) AS one GROUP BY op").fetchall())
