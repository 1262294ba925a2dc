"""A row is explained by the events that made it, what each changed, and whether they lead to the live row."""

import json
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from orders_read import explaining
from orders_read.explaining import explain
from orders_write.commands import CancelOrder, ChargePayment, ShipOrder
from outbox.careful import CarefulEngine
from outbox.delivery import Delivery, drain
from outbox.subscribers import projections
from tests.orders_read.histories import long_history, write_to_log
from tests.orders_write.shop import customer, do, list_products, place
from tests.outbox.conftest import Subscribe
from tests.outbox.world import FRAGILE, World, seen

pytestmark = pytest.mark.usefixtures("database")

fragile = seen("fragile", FRAGILE)


@pytest.fixture
def shop(database: None) -> int:
    """Give the id of an order that was paid and shipped, beside another one."""
    list_products("mug", "lamp")
    buyer = customer("ada")
    order = place(buyer, ("mug", 4))
    place(buyer, ("lamp", 1))
    do(ChargePayment(order_id=order.order_id, amount=order.total, reference="R-1"), actor="user:7")
    do(ShipOrder(order_id=order.order_id, carrier="DHL"))
    drain()
    return order.order_id


def run(*arguments: str) -> tuple[int, str]:
    out, code = StringIO(), 0
    try:
        call_command("explain_row", *arguments, stdout=out)
    except SystemExit as end:
        code = int(str(end.code))
    return code, out.getvalue()


def change(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def events(steps: Any) -> list[str]:
    return [step.event_type for step in steps]


def test_an_order_is_explained_by_its_own_events(shop: int) -> None:
    found = explain("order_search", [str(shop)])
    assert events(found.steps) == ["OrderPlaced", "PaymentCharged", "OrderShipped"]
    placed, paid, shipped = found.steps
    assert placed.changes["status"] == (None, "confirmed")
    assert paid.changes["status"] == ("confirmed", "paid")
    assert (paid.actor, paid.aggregate) == ("user:7", f"order {shop} v2")
    assert Decimal(paid.changes["open_amount"][0]) == 10
    assert shipped.changes == {"status": ("paid", "shipped"), "version": (2, 3)}
    assert found.differences == {}


def test_members_of_a_document_are_named(shop: int) -> None:
    paid = explain("order_details", [str(shop)]).steps[1]
    assert paid.changes["document.status"] == ("confirmed", "paid")
    assert paid.changes["document.version"] == (1, 2)
    assert "document.lines" not in paid.changes


def test_a_row_of_many_aggregates_is_explained_by_those_events_that_touched_it(shop: int) -> None:
    found = explain("product_sales", ["mug"])
    assert events(found.steps) == ["OrderPlaced"]
    assert found.steps[0].changes["units"] == (None, 4)
    assert found.differences == {}


def test_the_newest_steps_are_found_first(shop: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT user_id FROM read_order_search LIMIT 1")
        (user_id,) = cursor.fetchone()
    everything = explain("user_dashboard", [str(user_id)]).steps
    assert events(everything) == ["OrderPlaced", "OrderPlaced", "PaymentCharged", "OrderShipped"]
    assert explain("user_dashboard", [str(user_id)], last=2).steps == everything[-2:]
    assert explain("order_search", [str(shop)], last=1).steps[0].event_type == "OrderShipped"


def test_a_key_of_several_columns_is_given_in_their_order(shop: int) -> None:
    assert events(explain("daily_orders", ["2026-03-01", "France"]).steps) == ["OrderPlaced", "OrderPlaced"]


def every_row_is_explained(table: str, sample: int = 3) -> None:
    """Check that the steps of some rows, one after the other, lead to the row that readers see."""
    with connection.cursor() as cursor:
        cursor.execute(explaining.KEY, [f"read_{table}_g1"])
        key = ", ".join(f'"{name}"::text' for name, _ in cursor.fetchall())
        cursor.execute(f"SELECT {key} FROM read_{table} ORDER BY row_version LIMIT {sample}")
        keys = cursor.fetchall()
    assert keys
    for values in keys:
        found = explain(table, values)
        assert found.differences == {}
        row: dict[str, Any] = {}
        for step in found.steps:
            for name, (before, after) in step.changes.items():
                assert row.get(name) == before, (values, step)
                row[name] = after
        live = explaining._flat(found.live)
        del live["row_version"]
        assert {name: value for name, value in live.items() if value is not None} == {
            name: value for name, value in row.items() if value is not None
        }


@pytest.mark.parametrize("table", [table.name for one in projections() for table in one.tables])
def test_any_row_of_a_random_history_is_explained(table: str) -> None:
    write_to_log(long_history(120))
    drain()
    every_row_is_explained(table)


def skips_what_comes_back(patch: pytest.MonkeyPatch) -> None:
    """Compare rows without `row_version`: what was changed and changed back was never there."""
    original = explaining._Replay.row

    def row(self: Any) -> Any:
        found = original(self)
        return found and {name: value for name, value in found.items() if name != "row_version"}

    patch.setattr(explaining._Replay, "row", row)


def finds_what_came_back(shop: int) -> None:
    """Check that an order that was placed and cancelled on one day is found in the figures of the customer."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT user_id FROM read_order_search LIMIT 1")
        (user_id,) = cursor.fetchone()
    order = place(user_id, ("lamp", 1))
    do(CancelOrder(order_id=order.order_id, reason="changed my mind"))
    drain()
    steps = explain("product_catalogue", ["2"]).steps
    assert events(steps)[-2:] == ["OrderPlaced", "OrderCancelled"]


def test_what_was_changed_and_changed_back_is_found(shop: int) -> None:
    finds_what_came_back(shop)


def test_who_looks_at_the_values_alone_is_caught(shop: int, monkeypatch: pytest.MonkeyPatch) -> None:
    skips_what_comes_back(monkeypatch)
    monkeypatch.setattr(explaining, "_flat", lambda row: row or {})
    with pytest.raises(AssertionError):
        finds_what_came_back(shop)


def test_nothing_is_left_behind(shop: int) -> None:
    look = """
    SELECT count(*), (SELECT count(*) FROM projection_generations), (SELECT count(*) FROM checkpoints) FROM pg_class
    """
    with connection.cursor() as cursor:
        cursor.execute(look)
        before = cursor.fetchone()
        explain("user_dashboard", ["1"])
        explain("order_details", [str(shop)])
        cursor.execute(look)
        assert cursor.fetchone() == before


def test_the_command_tells_the_story(shop: int) -> None:
    code, text = run("order_search", str(shop))
    assert code == 0
    assert f"PaymentCharged (order {shop} v2) at 2026-03-01 12:00:00Z by user:7" in text
    assert '    status: "confirmed" → "paid"' in text
    assert text.endswith("The live row is what these events make of it.\n")
    report = json.loads(run("order_search", str(shop), "--last", "1", "--json")[1])
    assert [step["event_type"] for step in report["steps"]] == ["OrderShipped"]
    assert report["live"]["status"] == report["replayed"]["status"] == "shipped"


def test_a_row_that_its_events_do_not_explain_is_told_by_the_exit_code(shop: int) -> None:
    change("UPDATE read_product_sales SET units = 5 WHERE sku = 'mug'")
    change("DELETE FROM read_order_search")
    code, text = run("product_sales", "mug")
    assert (code, "    units: is 5, should be 4" in text) == (3, True)
    assert run("order_search", str(shop))[0] == 3


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nothing", "1"], "There is no table nothing"),
        (["order_details", "1", "2"], "The key of order_details is ORDER_ID."),
        (["daily_orders", "2026-03-01"], "The key of daily_orders is DAY COUNTRY."),
        (["order_details", "mug"], "'mug' is no order_id: bigint."),
        (["order_details", "999"], "No event has made such a row."),
    ],
)
def test_what_cannot_be_explained_is_refused(shop: int, arguments: list[str], told: str) -> None:
    with pytest.raises(CommandError, match=told):
        run(*arguments)


def test_what_waits_behind_a_dead_letter_is_left_out_as_in_the_live_row(
    world: World, subscribe: Subscribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(fragile)
    monkeypatch.setattr(explaining, "projections", lambda: (fragile,))
    world.commit((7, 1))
    world.commit((7, 2), event_type="Poison")
    world.commit((7, 3), (8, 1))
    Delivery(world.worker()).drain()
    engine = CarefulEngine("test")
    engine.drain()
    engine.close()
    Delivery(world.worker()).drain()

    found = explain("fragile", ["7"])

    assert world.versions("fragile")[7] == [1]
    assert [step.position for step in found.steps] == [1]
    assert found.differences == {}
