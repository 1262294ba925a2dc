from datetime import UTC, datetime
from decimal import Decimal

import orjson
import pytest

from orders_write.commands import (
    CancelOrder,
    ChargePayment,
    CreditNoteLine,
    DeliverOrder,
    EraseCustomer,
    ListProduct,
    RecordCreditNote,
    RepriceProduct,
    RestockProduct,
    RetireProduct,
    SetCreditLimit,
    ShipOrder,
)
from orders_write.events import EVENT_TYPES, CreditNoteRecorded, Status, event_from
from orders_write.exceptions import (
    CreditExceeded,
    NotEnoughStock,
    NotFound,
    ReferenceUsed,
    RetiredProduct,
    UnknownOrderLine,
    UnknownProduct,
    VersionConflict,
)
from orders_write.handlers import handle_batch
from orders_write.requests import Request

from .shop import NOON, credit_used, customer, do, list_products, messages, place, request, rows, stock, wish

pytestmark = pytest.mark.usefixtures("database")


def credited(qty: int, order_id: int | None = None, **changes: object) -> CreditNoteLine:
    line_no = 1 if order_id is not None or "order_reference" in changes else None
    return CreditNoteLine(
        sku="mug",
        qty=qty,
        price=Decimal("2.5"),
        order_id=order_id,
        order_line_no=line_no,
        **changes,  # type: ignore[arg-type]
    )


def test_the_way_of_an_order() -> None:
    ada = customer()
    list_products("mug")

    order = place(ada, ("mug", 2))
    do(ChargePayment(order_id=order.order_id, amount=Decimal(5), reference="P1"))
    do(ShipOrder(order_id=order.order_id, carrier="Post"))
    do(DeliverOrder(order_id=order.order_id))
    note = do(RecordCreditNote(user_id=ada, lines=(credited(1, order.order_id),)))

    assert isinstance(note.state, CreditNoteRecorded)
    assert messages() == [
        ("ProductListed", 1),
        ("OrderPlaced", 1),
        ("PaymentCharged", 2),
        ("OrderShipped", 3),
        ("OrderDelivered", 4),
        ("CreditNoteRecorded", 1),
        ("ItemsReturned", 5),
    ]
    assert rows("SELECT status, total, paid, returned, version FROM orders") == [
        ("delivered", Decimal(5), Decimal(5), Decimal("2.5"), 5)
    ]
    assert stock("mug") == (99, 0)


def test_every_command_tells_its_event() -> None:
    ada = customer(credit_limit="100")
    list_products("mug", "lamp")
    do(RepriceProduct(sku="lamp", price=Decimal(9)))
    do(RestockProduct(sku="lamp", qty=5))
    do(RetireProduct(sku="lamp"))
    order = place(ada)
    do(CancelOrder(order_id=order.order_id))
    second = place(ada)
    do(ChargePayment(order_id=second.order_id, amount=Decimal(5), reference="P1"))
    do(ShipOrder(order_id=second.order_id))
    do(DeliverOrder(order_id=second.order_id))
    do(RecordCreditNote(user_id=ada, lines=(credited(1, second.order_id),)))
    do(EraseCustomer(order_id=second.order_id))

    told = rows("SELECT event_type, payload FROM outbox ORDER BY message_id")

    assert {event_type for event_type, _ in told} == set(EVENT_TYPES)
    for event_type, payload in told:
        assert type(event_from(event_type, orjson.loads(payload))).__name__ == event_type


def test_an_order_carries_the_last_message_about_it() -> None:
    list_products("mug")
    order = place(customer())

    outcome = do(CancelOrder(order_id=order.order_id))

    assert rows("SELECT last_message_id FROM orders") == [(outcome.message_ids[0],)]


def test_the_envelope_tells_who_when_and_why() -> None:
    list_products("mug")
    then = datetime(2010, 12, 1, 8, 26, tzinfo=UTC)

    do(wish(None), actor="import:x", now=then, correlation_id="c", causation_id="m", traceparent="t")

    (row,) = rows(
        "SELECT metadata, occurred_at, recorded_at > now() - interval '1 hour', aggregate_type, aggregate_id::text"
        "  FROM outbox WHERE event_type = 'OrderPlaced'"
    )
    (order_id,) = rows("SELECT order_id::text FROM orders")[0]
    metadata = {"actor": "import:x", "correlation_id": "c", "causation_id": "m", "traceparent": "t"}
    assert (orjson.loads(row[0]), *row[1:]) == (metadata, then, True, "order", order_id)


def test_personal_data_stands_apart_from_the_payload() -> None:
    list_products("mug")
    ada = customer()
    place(ada)

    (payload, personal, subject) = rows(
        "SELECT payload::text, data, subject_id FROM outbox JOIN event_personal USING (event_id)"
    )[0]

    assert orjson.loads(personal) == {
        "name": "Ada",
        "street": "1 Rue A",
        "postcode": "75001",
        "city": "Paris",
        "email": "ada@example.org",
    }
    assert subject == ada
    assert not [word for word in orjson.loads(personal).values() if word in payload]


def test_a_refusal_changes_nothing() -> None:
    list_products("mug", on_hand=1)

    outcome = do(wish(customer(), ("mug", 2)))

    assert isinstance(outcome.refusal, NotEnoughStock)
    assert (messages(), rows("SELECT FROM orders"), stock("mug")) == ([("ProductListed", 1)], [], (1, 0))


def test_a_customer_with_a_credit_account_buys_on_credit_up_to_the_limit() -> None:
    list_products("mug")
    ada = customer(credit_limit="9.9999")

    order = place(ada)
    refused = do(wish(ada))

    assert (order.on_credit, credit_used(ada)) == (True, Decimal(5))
    assert isinstance(refused.refusal, CreditExceeded)


@pytest.mark.parametrize("release", ["cancel", "pay", "return"])
def test_credit_is_freed(release: str) -> None:
    list_products("mug")
    ada = customer(credit_limit="100")
    order = place(ada)

    do(
        {
            "cancel": CancelOrder(order_id=order.order_id),
            "pay": ChargePayment(order_id=order.order_id, amount=Decimal(5), reference="P"),
            "return": RecordCreditNote(user_id=ada, lines=(credited(2, order.order_id),)),
        }[release]
    )

    assert credit_used(ada) == 0


def test_a_cancellation_releases_stock_and_refunds() -> None:
    list_products("mug")
    order = place(customer())
    do(ChargePayment(order_id=order.order_id, amount=Decimal(5), reference="P1"))

    do(CancelOrder(order_id=order.order_id, reason="too late"))

    assert stock("mug") == (100, 0)
    assert rows("SELECT kind, amount, reference FROM payments ORDER BY payment_id") == [
        ("charge", Decimal(5), "P1"),
        ("refund", Decimal(5), None),
    ]


def test_a_payment_reference_is_used_once_in_the_shop() -> None:
    list_products("mug")
    ada = customer()
    first, second = place(ada), place(ada)
    do(ChargePayment(order_id=first.order_id, amount=Decimal(5), reference="P1"))

    outcome = do(ChargePayment(order_id=second.order_id, amount=Decimal(5), reference="P1"))

    assert isinstance(outcome.refusal, ReferenceUsed)


def test_an_orders_reference_is_unique_within_its_source() -> None:
    list_products("mug")

    first = do(wish(None, source="a", reference="1"))
    again = do(wish(None, source="a", reference="1"))
    other = do(wish(None, source="b", reference="1"))

    assert (first.refusal, other.refusal) == (None, None)
    assert isinstance(again.refusal, ReferenceUsed)


@pytest.mark.parametrize(
    "command",
    [
        ShipOrder(order_id=999),
        wish(999),
        RestockProduct(sku="none", qty=1),
        SetCreditLimit(user_id=999, limit=Decimal(1)),
        RecordCreditNote(user_id=999, lines=(credited(1),)),
    ],
    ids=lambda command: type(command).__name__,
)
def test_what_does_not_exist_is_not_found(command: ShipOrder) -> None:
    list_products("mug")

    with pytest.raises(NotFound):
        do(command)


def test_a_command_meant_for_another_version_is_a_conflict() -> None:
    list_products("mug")
    order = place(customer())

    with pytest.raises(VersionConflict):
        do(CancelOrder(order_id=order.order_id), expected_versions=(2,))

    assert do(CancelOrder(order_id=order.order_id), expected_versions=(1,)).refusal is None


def test_another_customers_order_is_not_found() -> None:
    list_products("mug")
    ada, bob = customer("ada"), customer("bob")
    order = place(ada)

    with pytest.raises(NotFound):
        do(CancelOrder(order_id=order.order_id), only_user_id=bob)

    assert do(CancelOrder(order_id=order.order_id), only_user_id=ada).refusal is None


def test_a_batch_is_decided_in_order_upon_the_same_aggregates() -> None:
    ada = customer()
    list_products("mug", on_hand=3)

    outcomes = handle_batch(
        [
            request(wish(ada, ("mug", 2), source="s", reference="1")),
            request(wish(ada, ("mug", 2))),
            request(wish(ada, ("none", 1))),
            request(RecordCreditNote(user_id=ada, source="s", lines=(credited(1, order_reference="1"),))),
            request(wish(ada, ("mug", 2))),
            request(RetireProduct(sku="mug")),
            request(wish(ada, ("mug", 1))),
        ]
    )

    assert [type(outcome.refusal) for outcome in outcomes] == [
        type(None),
        NotEnoughStock,
        UnknownProduct,
        type(None),
        type(None),
        type(None),
        RetiredProduct,
    ]
    assert [len(outcome.message_ids) for outcome in outcomes] == [1, 0, 0, 2, 1, 1, 0]
    assert stock("mug") == (3, 3)
    assert rows("SELECT version, returned FROM orders ORDER BY order_id") == [
        (2, Decimal("2.5")),
        (1, Decimal(0)),
    ]


def test_order_0_is_no_order() -> None:
    list_products("mug")
    order = place(None)

    outcome = do(RecordCreditNote(user_id=None, lines=(credited(1, 0), credited(1, order.order_id))))

    assert isinstance(outcome.refusal, UnknownOrderLine)


def test_a_product_listed_in_a_batch_can_be_sold_in_it() -> None:
    listed = ListProduct(sku="new", name="New", category="x", price=Decimal(1), on_hand=5)

    handle_batch(
        [request(listed), request(wish(None, ("new", 2))), request(RestockProduct(sku="new", qty=1))]
    )

    assert stock("new") == (6, 2)
    assert rows("SELECT version FROM products") == [(2,)]


def test_an_empty_batch_is_no_work() -> None:
    assert handle_batch([]) == []


def test_a_whole_order_of_a_thousand_lines_is_taken() -> None:
    list_products("mug", on_hand=2000)

    order = place(None, *[("mug", 1)] * 1114)

    assert order.total == Decimal("2785.0")
    assert rows("SELECT count(*) FROM order_items") == [(1114,)]


def test_ids_beyond_2_to_the_53_stay_exact() -> None:
    list_products("mug")
    rows("SELECT setval('orders_order_id_seq', 9007199254740993)")

    order = place(None)

    assert order.order_id == 9007199254740994
    assert rows("SELECT payload ->> 'order_id' FROM outbox WHERE event_type = 'OrderPlaced'") == [
        ("9007199254740994",)
    ]
    assert do(CancelOrder(order_id=order.order_id)).state.status is Status.CANCELLED  # type: ignore[union-attr]


def test_any_text_goes_in_and_out_unharmed() -> None:
    name = 'it\'s \\ 100% "q" ; -- $1 %s {} \u00fc\u4e2d\U0001f600'
    list_products(name)
    ada = customer("o'ada")

    order = place(ada, (name, 1), reference=name, source=name)

    assert (order.lines[0].sku, order.reference, order.customer_number) == (name, name, "N-o'ada")
    assert isinstance(do(wish(ada, (name, 1), reference=name, source=name)).refusal, ReferenceUsed)
    assert rows("SELECT reference, source, sku FROM orders, products") == [(name, name, name)]


def test_a_request_is_plain_data() -> None:
    assert Request(command=CancelOrder(order_id=1), actor="user:1", now=NOON) == request(
        CancelOrder(order_id=1)
    )
