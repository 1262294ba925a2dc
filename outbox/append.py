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
    # One JSON text is cheaper to make and to send than an array per column.
    cursor.execute(APPEND, [orjson.dumps([_row(message) for message in messages]).decode()], prepare=True)
    return [identity for (identity,) in cursor.fetchall()]


def _row(message: Message) -> dict[str, Any]:
    row = {
        "event_id": message.event_id,
        "event_type": message.event_type,
        "schema_version": message.schema_version,
        "aggregate_type": message.aggregate_type,
        "aggregate_id": message.aggregate_id,
        "aggregate_version": message.aggregate_version,
        "payload": orjson.Fragment(message.payload),
        "metadata": _metadata(message.metadata),
        "occurred_at": message.occurred_at,
    }
    if message.personal is not None:
        row |= {"subject_id": message.personal.subject_id, "personal": message.personal.data}
    return row


def _metadata(metadata: Metadata) -> dict[str, str]:
    # Empty fields stay out: the log keeps them for ever.
    said = {"actor": metadata.actor}
    for name in ("correlation_id", "causation_id", "traceparent"):
        if value := getattr(metadata, name):
            said[name] = value
    return said


def _ring_after_commit() -> None:
    savepoints = set(connection.savepoint_ids)
    # A bell that was hung up in a savepoint is lost when that is rolled back, so only an outer one counts.
    if not any(call is bell.ring and inner <= savepoints for inner, call, _ in connection.run_on_commit):  # type: ignore[misc]
        transaction.on_commit(bell.ring, robust=True)
