"""What customers do reaches an endpoint: as events of the shop, without personal data unless it was asked for."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import Settings

from orders_write.commands import ChargePayment, ShipOrder
from outbox import delivery
from outbox.publishers import endpoints
from outbox.publishers.loop import PublisherLoop
from tests.orders_write.shop import HOME, customer, do, list_products, place
from tests.webhook_receiver import WebhookReceiver

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def receiver(settings: Settings) -> Iterator[WebhookReceiver]:
    """Give a receiver, on a machine that webhooks may be sent to."""
    settings.OUTBOX = settings.OUTBOX | {"WEBHOOK_ALLOWED_NETWORKS": ["127.0.0.1/32"]}
    with WebhookReceiver() as server:
        yield server


def publish() -> None:
    """Relay what was committed and bring it to the endpoints."""
    delivery.drain()
    loop = PublisherLoop(threading.Event())
    loop.run_once()
    loop.close()


def bodies(receiver: WebhookReceiver) -> list[dict[str, Any]]:
    return [json.loads(content) for _, content in receiver.requests]


def test_an_orders_way_is_told_in_order_with_money_and_ids_as_texts(receiver: WebhookReceiver) -> None:
    # given
    list_products("mug", price="2.5")
    receiver.secrets = [endpoints.add("user:1", "partner", receiver.url)]

    # when
    order = place(customer(), ("mug", 3))
    do(ChargePayment(order_id=order.order_id, amount=order.total, reference="p-1", method="card"))
    do(ShipOrder(order_id=order.order_id))
    publish()

    # then
    told = [body for body in bodies(receiver) if body["data"]["aggregate_type"] == "order"]
    assert [body["type"] for body in told] == ["OrderPlaced", "PaymentCharged", "OrderShipped"]
    assert [body["data"]["aggregate_version"] for body in told] == [1, 2, 3]
    assert told[0]["data"]["aggregate_id"] == str(order.order_id)
    assert told[0]["data"]["payload"]["total"] == "7.5000"
    assert receiver.unsigned == 0


@pytest.mark.parametrize("with_personal", [False, True])
def test_name_and_address_are_told_only_to_who_asked(
    receiver: WebhookReceiver, *, with_personal: bool
) -> None:
    list_products("mug")
    endpoints.add("user:1", "partner", receiver.url, with_personal=with_personal)

    place(customer(), ("mug", 1))
    publish()

    content = b"".join(content for _, content in receiver.requests)
    assert [said.encode() in content for said in (HOME.name, HOME.street, HOME.email)] == [with_personal] * 3
