"""Put messages into the outbox, within the transaction that makes their facts true."""

from collections.abc import Sequence
from typing import Any

import orjson
import psycopg
from django.db import connection, transaction

from . import bell
from .exceptions import OutsideTransaction
from .messages import Message, Metadata
from .statements import statement

APPEND = statement("append")
APPEND_WITH_PERSONAL = f"WITH personal AS (\n{statement('append_personal')})\n{APPEND}"


def append(messages: Sequence[Message]) -> list[int]:
    """Insert messages into the outbox and return their identities, in the order given; one round trip.

    Must run inside the transaction that changes the aggregates, after their locks are taken; raises
    OutsideTransaction elsewhere. Identities are drawn by the INSERT itself, under its lock on the table: the relay's
    lower bound rests on that. Rings the bell once the transaction is committed.
    """
    if not connection.in_atomic_block:
        raise OutsideTransaction
    if not messages:
        return []
    connection.validate_no_broken_transaction()
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.RawCursor(connection.connection) as cursor:
        identities = _insert(cursor, messages)
    _ring_after_commit()
    return identities


def _insert(cursor: psycopg.RawCursor[Any], messages: Sequence[Message]) -> list[int]:
    personal = [(message.event_id, message.personal) for message in messages if message.personal is not None]
    if personal:
        columns = [
            [event_id for event_id, _ in personal],
            [said.subject_id for _, said in personal],
            [orjson.dumps(said.data).decode() for _, said in personal],
        ]
        cursor.execute(APPEND_WITH_PERSONAL, [*_columns(messages), *columns], prepare=True)
    else:
        cursor.execute(APPEND, _columns(messages), prepare=True)
    return [identity for (identity,) in cursor.fetchall()]


def _columns(messages: Sequence[Message]) -> list[list[Any]]:
    return [
        [message.event_id for message in messages],
        [message.event_type for message in messages],
        [message.schema_version for message in messages],
        [message.aggregate_type for message in messages],
        [message.aggregate_id for message in messages],
        [message.aggregate_version for message in messages],
        [message.payload for message in messages],
        [_metadata(message.metadata) for message in messages],
        [message.occurred_at for message in messages],
    ]


def _metadata(metadata: Metadata) -> str:
    # Empty fields stay out: the log keeps them for ever.
    said = {"actor": metadata.actor}
    for name in ("correlation_id", "causation_id", "traceparent"):
        if value := getattr(metadata, name):
            said[name] = value
    return orjson.dumps(said).decode()


def _ring_after_commit() -> None:
    savepoints = set(connection.savepoint_ids)
    # A bell that was hung up in a savepoint is lost when that is rolled back, so only an outer one counts.
    if not any(call is bell.ring and inner <= savepoints for inner, call, _ in connection.run_on_commit):
        transaction.on_commit(bell.ring, robust=True)
