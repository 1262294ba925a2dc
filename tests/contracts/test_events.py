"""Tests that events as they were released can be read for ever: the files beside this one are never changed.

A new version of an event gets a file of its own, `<type>.v<n>.json`, and the old one stays.
"""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import connection, transaction
from uuid_utils.compat import uuid7

from orders_write.events import SCHEMA_VERSIONS, event_from, payload_of
from outbox.append import append
from outbox.delivery import drain
from outbox.messages import Message, Metadata
from outbox.upcasters import read_as_today
from tests.outbox.world import NOW

RELEASED = sorted((Path(__file__).parent / "events").glob("*.json"))


def parts(file):
    event_type, version, _ = file.name.split(".")
    return event_type, int(version.removeprefix("v"))


# Of each event, in an order that the domain allows: whose it is.
AGGREGATES = {
    "CreditLimitSet": ("credit_account", "user_id"),
    "ProductListed": ("product", "product_id"),
    "ProductRepriced": ("product", "product_id"),
    "ProductRestocked": ("product", "product_id"),
    "ProductRetired": ("product", "product_id"),
    "OrderPlaced": ("order", "order_id"),
    "PaymentCharged": ("order", "order_id"),
    "OrderShipped": ("order", "order_id"),
    "OrderDelivered": ("order", "order_id"),
    "CreditNoteRecorded": ("credit_note", "credit_note_id"),
    "ItemsReturned": ("order", "order_id"),
    "OrderCancelled": ("order", "order_id"),
    "CustomerErased": ("order", "order_id"),
}


def as_today(event_type, version, payload):
    """Read a payload as the upcasters of the settings make it today's."""
    expression, _ = read_as_today("event")
    row = "SELECT %s::text AS event_type, %s::int AS schema_version, %s::jsonb AS payload"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {expression} FROM ({row}) AS event", [event_type, version, json.dumps(payload)]
        )
        return json.loads(cursor.fetchone()[0])


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("file", RELEASED, ids=lambda file: file.stem)
def test_a_released_event_is_read_and_written_as_one_of_today(file):
    event_type, version = parts(file)
    payload = as_today(event_type, version, json.loads(file.read_text()))

    event = event_from(event_type, payload)

    assert type(event).__name__ == event_type
    assert json.loads(payload_of(event)) == payload


@pytest.mark.usefixtures("database")
def test_all_released_events_can_be_folded():
    versions = {}
    messages = []
    for file in sorted(RELEASED, key=lambda file: [*AGGREGATES].index(parts(file)[0])):
        event_type, schema_version = parts(file)
        payload = json.loads(file.read_text())
        aggregate_type, key = AGGREGATES[event_type]
        # Each version of an event tells of an aggregate of its own.
        aggregate_id = int(payload[key]) + 1000 * (schema_version - 1)
        versions[aggregate_type, aggregate_id] = versions.get((aggregate_type, aggregate_id), 0) + 1
        messages.append(
            Message(
                event_id=uuid7(),
                event_type=event_type,
                schema_version=schema_version,
                aggregate_type=aggregate_type,
                aggregate_id=aggregate_id,
                aggregate_version=versions[aggregate_type, aggregate_id],
                payload=json.dumps(payload),
                metadata=Metadata(actor="user:1"),
                occurred_at=NOW,
            )
        )
    with transaction.atomic():
        append(messages)

    drain()

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT error_message FROM dead_letters UNION SELECT error_message FROM delivery_failures"
        )
        assert cursor.fetchall() == []
        cursor.execute("SELECT max(position), (SELECT min(position) FROM read_positions) FROM event_log")
        assert cursor.fetchone() == (len(RELEASED), len(RELEASED))


def test_every_event_of_today_is_among_them():
    assert {parts(file) for file in RELEASED} >= set(SCHEMA_VERSIONS.items())


@pytest.mark.parametrize("file", RELEASED, ids=lambda file: file.stem)
def test_money_has_four_decimals_ids_are_strings_and_no_number_is_a_fraction(file):
    def check(value):
        if isinstance(value, list):
            for each in value:
                check(each)
            return
        for name, each in value.items():
            assert not isinstance(each, float), name
            if name.endswith("_id"):
                assert each is None or each.isdigit(), name
            if name in (
                "total",
                "price",
                "amount",
                "paid",
                "returned",
                "open_amount",
                "limit",
                "used",
                "refund",
            ):
                assert isinstance(each, int) or each == str(Decimal(each).quantize(Decimal("0.0001"))), name
            if isinstance(each, list | dict):
                check(each)

    check(json.loads(file.read_text()))


@pytest.mark.parametrize("file", RELEASED, ids=lambda file: file.stem)
def test_no_event_tells_who_or_where_somebody_is(file):
    text = file.read_text()

    assert not any(f'"{name}":' in text for name in ("street", "postcode", "city", "email", "customer_name"))
