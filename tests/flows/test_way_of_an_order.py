"""An order goes its whole way, whatever else happens in the database and whoever is killed on the way."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from orders_read import queries
from orders_write.commands import CreditNoteLine, RecordCreditNote, ShipOrder
from outbox import delivery
from outbox.connection import connect
from outbox.delivery import Delivery
from tests.orders_write.shop import customer, do, key, list_products, place, rows, wish
from tests.outbox.processes import database_url
from tests.outbox.world import wait_until

pytestmark = pytest.mark.usefixtures("database")

Connect = Callable[[], psycopg.Connection[Any]]
VERSIONS = """
SELECT aggregate_type, aggregate_id, array_agg(aggregate_version ORDER BY position) FROM event_log
 GROUP BY aggregate_type, aggregate_id
"""
BLOCKED = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
HEAD = "SELECT coalesce(max(position), 0) FROM event_log"
KILLS = 3


@pytest.fixture
def worker() -> Iterator[Delivery]:
    """Give delivery on a connection of its own."""
    own = connect("test")
    yield Delivery(own)
    own.close()


def timeline(order_id: int) -> list[int]:
    document = queries.order_details(order_id)
    assert document is not None
    return [int(entry["version"]) for entry in json.loads(document)["timeline"]]


def in_order() -> bool:
    return all(versions == list(range(1, len(versions) + 1)) for _, _, versions in rows(VERSIONS))


def test_what_was_ordered_can_be_read(worker: Delivery) -> None:
    list_products("mug")
    user = customer()
    order = place(user, ("mug", 3))
    assert queries.order_details(order.order_id) is None
    worker.drain()
    document = json.loads(queries.order_details(order.order_id, user_id=user) or "")
    assert [(line["sku"], line["qty"]) for line in document["lines"]] == [("mug", 3)]


def test_an_order_whose_key_was_claimed_first_and_whose_event_came_second_keeps_its_order(
    worker: Delivery, second_connection: Connect
) -> None:
    # given: a credit note over two orders has claimed its key and waits for the first order
    list_products("mug")
    user = customer(credit_limit="1000")
    first, second = place(user, ("mug", 3)), place(user, ("mug", 3))
    blocker = second_connection()
    blocker.execute("SELECT FROM orders WHERE order_id = %s FOR UPDATE", [first.order_id])
    note = RecordCreditNote(
        user_id=user,
        country="France",
        lines=tuple(
            CreditNoteLine(sku="mug", qty=1, price=Decimal("2.5"), order_id=order.order_id, order_line_no=1)
            for order in (first, second)
        ),
    )

    def record() -> None:
        do(note, key=key("note"))
        connection.close()

    waiting = threading.Thread(target=record)
    waiting.start()
    assert wait_until(lambda: rows(BLOCKED) == [(1,)])
    # when: the second order is shipped and delivered meanwhile
    other = threading.Thread(target=lambda: (do(ShipOrder(order_id=second.order_id)), connection.close()))
    other.start()
    wait_until(lambda: not other.is_alive() or rows(BLOCKED) == [(2,)])
    worker.drain()
    blocker.rollback()
    waiting.join()
    other.join()
    worker.drain()
    # then
    assert in_order()
    assert timeline(second.order_id) == [1, 2, 3]
    assert timeline(first.order_id) == [1, 2]


def test_a_transaction_that_is_open_elsewhere_delays_no_order(
    worker: Delivery, second_connection: Connect
) -> None:
    list_products("mug")
    foreigner, refresher = second_connection(), second_connection()
    foreigner.execute("SELECT pg_current_xact_id()")
    rows_before = rows("SELECT count(*) FROM event_log")
    with connection.cursor() as cursor:
        cursor.execute("CREATE MATERIALIZED VIEW slow_view AS SELECT count(*) FROM read_order_details")
    refresher.execute("REFRESH MATERIALIZED VIEW slow_view")
    order = place(customer(), ("mug", 1))
    worker.drain()
    delivered = queries.order_details(order.order_id) is not None
    foreigner.rollback()
    refresher.rollback()
    with connection.cursor() as cursor:
        cursor.execute("DROP MATERIALIZED VIEW slow_view")
    assert (rows_before, delivered) == ([(0,)], True)


def test_a_read_model_that_cannot_be_written_stops_no_other(worker: Delivery) -> None:
    list_products("mug")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE read_user_dashboard_g1 ADD CONSTRAINT broken CHECK (false) NOT VALID")
    try:
        order = place(customer(), ("mug", 1))
        worker.drain()
        assert timeline(order.order_id) == [1]
        assert rows("SELECT subscriber FROM delivery_failures") == [("user_dashboard",)]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE read_user_dashboard_g1 DROP CONSTRAINT broken")
    delivery.drain()
    assert rows("SELECT count(*) FROM read_user_dashboard") == [(1,)]
    assert rows("SELECT FROM delivery_failures") == []


def test_workers_that_are_killed_lose_and_double_nothing() -> None:
    list_products("mug", on_hand=1000)
    users = [customer(name) for name in ("ada", "bob", "cy")]
    environment = os.environ | {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "config.settings"}
    command = [sys.executable, "manage.py", "run_delivery", "--interval", "0.001"]
    for _ in range(KILLS):
        before = rows(HEAD)
        workers = [
            subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment, stderr=subprocess.DEVNULL)
            for _ in range(2)
        ]
        try:
            place(users[0], ("mug", 1))
            assert wait_until(lambda: rows(HEAD) > before, seconds=60)  # noqa: B023 – called at once
            for number in range(60):
                place(users[number % 3], ("mug", 1))
        finally:
            for one in workers:
                one.kill()
                one.wait()
    delivery.drain()
    orders = rows("SELECT count(*) FROM orders")[0][0]
    assert in_order()
    assert rows("SELECT count(*), max(position) FROM event_log") == [(orders + 1, orders + 1)]
    assert rows("SELECT count(*) FROM read_order_details") == [(orders,)]
    assert rows("SELECT sum(orders)::int, sum(units)::int FROM read_product_sales") == [(orders, orders)]


def test_refused_orders_leave_no_message() -> None:
    list_products("mug", on_hand=1)
    before = rows("SELECT count(*) FROM outbox")
    assert do(wish(customer(), ("mug", 2))).refusal is not None
    assert rows("SELECT count(*) FROM outbox") == before
