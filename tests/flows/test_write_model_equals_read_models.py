"""A random life of the shop, delivered in random pieces: in the end every read model says what the write model says."""

import json
import random
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from orders_read import queries
from orders_write.commands import (
    CancelOrder,
    ChargePayment,
    Command,
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
from orders_write.exceptions import NotFound, Refusal
from orders_write.handlers import handle_batch
from outbox.connection import django_connection
from outbox.delivery import Delivery
from tests.orders_write.shop import NOON, customer, list_products, place, request, rows, wish

pytestmark = pytest.mark.usefixtures("database")

SKUS = ("mug", "MUG", "lamp", "cup", "grain")


class Life:
    """Draws commands that a shop might get, sensible or not, from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        list_products(*SKUS[:-1], on_hand=60)
        list_products(SKUS[-1], on_hand=10_000, price="0.0010")
        self.users = [customer("ada"), customer("bob", credit_limit="200"), customer("cy"), None]
        self.references = 0

    def command(self) -> Command:
        makers: list[tuple[int, Callable[[], Command]]] = [
            (10, self.place),
            (5, self.charge),
            (4, lambda: ShipOrder(order_id=self.order_id())),
            (2, lambda: DeliverOrder(order_id=self.order_id())),
            (2, lambda: CancelOrder(order_id=self.order_id())),
            (4, self.credit),
            (2, lambda: EraseCustomer(order_id=self.order_id())),
            (
                1,
                lambda: RepriceProduct(
                    sku=self.sku(), price=Decimal(self.random.randint(1, 99_999)) / 10_000
                ),
            ),
            (1, lambda: RestockProduct(sku=self.sku(), qty=self.random.randint(1, 30))),
            (1, lambda: RetireProduct(sku="cup")),
            (
                1,
                lambda: SetCreditLimit(
                    user_id=self.users[1] or 0, limit=Decimal(self.random.randint(0, 300))
                ),
            ),
        ]
        return self.random.choices([make for _, make in makers], [weight for weight, _ in makers])[0]()

    def sku(self) -> str:
        return self.random.choice(SKUS)

    def order_id(self) -> int:
        found = rows("SELECT order_id FROM orders ORDER BY order_id")
        return int(self.random.choice(found)[0]) if found else 1

    def place(self) -> Command:
        lines = [(self.sku(), self.random.randint(1, 5)) for _ in range(self.random.randint(1, 4))]
        return wish(self.random.choice(self.users), *lines)

    def charge(self) -> Command:
        order_id = self.order_id()
        found = rows("SELECT total - paid - returned FROM orders WHERE order_id = %s", order_id)
        self.references += 1
        return ChargePayment(
            order_id=order_id, amount=found[0][0] if found else Decimal(1), reference=str(self.references)
        )

    def credit(self) -> Command:
        order_id = self.order_id()
        found = rows(
            "SELECT line_no, sku, order_items.price FROM order_items JOIN products USING (product_id)"
            " WHERE order_id = %s",
            order_id,
        )
        user = rows("SELECT user_id FROM orders WHERE order_id = %s", order_id)
        lines = [CreditNoteLine(sku="D", qty=1, price=Decimal("1.5"))]
        if found:
            line_no, sku, price = self.random.choice(found)
            lines.append(
                CreditNoteLine(
                    sku=sku,
                    qty=self.random.randint(1, 3),
                    price=price,
                    order_id=order_id,
                    order_line_no=line_no,
                )
            )
        return RecordCreditNote(user_id=user[0][0] if user else None, lines=tuple(lines), country="France")


def live(seed: int, steps: int) -> None:
    life, delivery = Life(seed), Delivery(django_connection())
    refused = 0
    for _ in range(steps):
        size = life.random.choice([1, 1, 1, 4])
        then = NOON + timedelta(hours=life.random.randint(0, 200))
        outcomes = handle_batch([request(life.command(), now=then) for _ in range(size)])
        assert all(isinstance(outcome.refusal, Refusal | NotFound | None) for outcome in outcomes)
        refused += sum(outcome.refusal is not None for outcome in outcomes)
        if life.random.random() < 0.3:
            delivery.batch_size = life.random.randint(1, 9)
            delivery.relay.run_once(delivery.connection)
            delivery.run_round()
    delivery.batch_size = 1000
    delivery.drain()
    assert refused, "a life without refusals tries no rule"


@pytest.mark.parametrize("seed", range(10))
def test_the_read_models_say_what_the_write_model_says(seed: int) -> None:
    live(seed, 60)

    assert_orders_are_equal()
    assert_catalogue_is_equal()
    assert_dashboards_are_equal()
    assert_revenue_is_equal()
    assert_the_shop_is_sound()


def test_an_order_with_more_words_than_an_index_holds_stops_nobody() -> None:
    skus = [f"{number:04}" for number in range(1_800)]
    named = [
        ListProduct(sku=sku, name=sku + "\u4e2d" * 190, category="x", price=Decimal(1), on_hand=1)
        for sku in skus
    ]
    handle_batch([request(command) for command in named])
    order = place(None, *((sku, 1) for sku in skus))

    Delivery(django_connection()).drain()

    assert json.loads(queries.order_details(order.order_id) or "")["units"] == len(skus)
    assert json.loads(queries.search(skus[0]))["results"][0]["order_id"] == str(order.order_id)


def assert_orders_are_equal() -> None:
    written = rows(
        "SELECT order_id, status, total, paid, returned, version,"
        " CASE status WHEN 'cancelled' THEN 0 ELSE total - paid - returned END FROM orders ORDER BY order_id"
    )
    read = [json.loads(queries.order_details(order_id) or "") for order_id, *_ in written]
    names = ("status", "total", "paid", "returned", "version", "open_amount")
    assert [(int(each["order_id"]), *(number(each[name]) for name in names)) for each in read] == written
    assert [
        (
            int(each["order_id"]),
            line["line_no"],
            line["sku"],
            line["qty"],
            number(line["price"]),
            line["returned"],
        )
        for each in read
        for line in each["lines"]
    ] == rows(
        "SELECT order_id, line_no, sku, qty, order_items.price, returned_qty"
        "  FROM order_items JOIN products USING (product_id) ORDER BY order_id, line_no"
    )
    for each in read:
        assert [entry["version"] for entry in each["timeline"]] == list(range(1, each["version"] + 1))
    assert pages() == {
        order_id: (status, total, open_amount) for order_id, status, total, *_, open_amount in written
    }


def pages() -> dict[int, tuple[str, Decimal, Decimal]]:
    """Read the whole list, seven orders a page."""
    found: dict[int, tuple[str, Decimal, Decimal]] = {}
    page = json.loads(queries.orders(limit=7))
    while True:
        for each in page["results"]:
            assert int(each["order_id"]) not in found
            found[int(each["order_id"])] = (
                each["status"],
                number(each["total"]),
                number(each["open_amount"]),
            )
        if page["next"] is None:
            return found
        page = json.loads(queries.orders(limit=7, after=page["next"]))


def assert_catalogue_is_equal() -> None:
    read = json.loads(queries.product_catalogue(include_retired=True))["results"]
    assert [
        (each["sku"], number(each["price"]), each["retired"], each["available"]) for each in read
    ] == rows(
        "SELECT sku, price, retired, on_hand - reserved FROM products JOIN stock USING (product_id)"
        ' ORDER BY sku COLLATE "C"'
    )


def assert_dashboards_are_equal() -> None:
    for (user_id,) in rows("SELECT id FROM users"):
        read = json.loads(queries.user_dashboard(user_id))
        ((orders, spent, notes, credited),) = rows(
            "SELECT (SELECT count(*) FROM orders WHERE user_id = %s),"
            " (SELECT coalesce(sum(total), 0) FROM orders WHERE user_id = %s),"
            " (SELECT count(*) FROM credit_notes WHERE user_id = %s),"
            " (SELECT coalesce(sum(total), 0) FROM credit_notes WHERE user_id = %s)",
            user_id,
            user_id,
            user_id,
            user_id,
        )
        assert (read["orders"], number(read["spent"])) == (orders, spent)
        assert (read["credit_notes"], number(read["returned"])) == (notes, credited)


def assert_revenue_is_equal() -> None:
    days = (date(2026, 2, 1), date(2026, 4, 1))
    by_day, by_category = (json.loads(queries.daily_revenue(*days, by=by)) for by in ("day", "category"))
    ((gross, count, returned, notes),) = rows(
        "SELECT (SELECT coalesce(sum(total), 0) FROM orders), (SELECT count(*) FROM orders),"
        " (SELECT coalesce(sum(total), 0) FROM credit_notes), (SELECT count(*) FROM credit_notes)"
    )
    total = by_day["total"]
    assert (number(total["gross"]), total["orders"]) == (gross, count)
    assert (number(total["returned"]), total["credit_notes"]) == (returned, notes)
    for answer in (by_day, by_category):
        for name in ("gross", "returned", "cancelled", "net"):
            assert sum(number(each[name]) for each in answer["results"]) == number(total[name])
    (cancelled,) = rows(
        "SELECT coalesce(sum((qty - returned_qty) * price), 0)"
        " FROM order_items JOIN orders USING (order_id) WHERE status = 'cancelled'"
    )[0]
    assert number(total["cancelled"]) == cancelled


def assert_the_shop_is_sound() -> None:
    """G7: what is reserved is what confirmed and paid orders still hold, and credit used is what is owed on credit."""
    assert (
        rows(
            "SELECT product_id, reserved FROM stock WHERE reserved <> (SELECT coalesce(sum(qty - returned_qty), 0)"
            " FROM order_items JOIN orders USING (order_id)"
            " WHERE order_items.product_id = stock.product_id AND status IN ('confirmed', 'paid'))"
        )
        == []
    )
    assert (
        rows(
            "SELECT user_id, used FROM credit_accounts WHERE used <> (SELECT coalesce(sum(total - paid - returned), 0)"
            " FROM orders WHERE orders.user_id = credit_accounts.user_id AND on_credit AND status <> 'cancelled'"
            " AND total > paid + returned)"
        )
        == []
    )
    assert rows("SELECT count(*), min(position), max(position) FROM event_log")[0][::2] == (
        rows("SELECT count(*) FROM event_log")[0][0],
        rows("SELECT count(*) FROM event_log")[0][0],
    )
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def number(value: Any) -> Any:
    return (
        Decimal(value)
        if isinstance(value, str) and value.replace(".", "").replace("-", "").isdigit()
        else value
    )
