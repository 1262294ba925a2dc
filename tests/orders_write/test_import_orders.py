"""The import as a whole: from files to orders, resumed, repeated, shared out, refused."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections

from orders_write.importing import runner
from orders_write.management.commands import import_orders
from orders_write.models import CreditNote, IdempotencyKey, Order, OrderItem, Product, Stock, User
from orders_write.requests import Outcome, Request

pytestmark = pytest.mark.usefixtures("database")

PRODUCTS = (
    "sku,name,is_merchandise,first_sale_price,sold\nmug,Mug,1,2.50,1\ncup,Cup,1,1.25,1\nold,Old,1,1,0\n"
)
TIME = "2010-12-01T08:26:00Z"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "retail"
    folder.mkdir()
    (folder / "products.csv").write_text(PRODUCTS)
    return folder


def place(
    seq: int, order_id: str, sku: str = "mug", customer: str | None = "17", **changes: Any
) -> dict[str, Any]:
    line = {"line_no": 1, "sku": sku, "qty": 2, "unit_price": "2.255"} | changes
    return {
        "seq": seq,
        "type": "PlaceOrder",
        "order_id": order_id,
        "occurred_at": TIME,
        "customer_id": customer,
        "country": "France",
        "lines": [line],
    }


def credit(seq: int, order_id: str | None, customer: str | None = "17", qty: int = 1) -> dict[str, Any]:
    line = {"line_no": 1, "sku": "mug", "qty": qty, "unit_price": "2.255"}
    named = {"orig_order_id": order_id, "orig_line_no": 1} if order_id else {}
    return {
        "seq": seq,
        "type": "RecordCreditNote",
        "credit_note_id": f"C{seq}",
        "occurred_at": TIME,
        "customer_id": customer,
        "country": "France",
        "lines": [line | named],
    }


def change(seq: int, kind: str, order_id: str, **fields: Any) -> dict[str, Any]:
    return {"seq": seq, "type": kind, "order_id": order_id, "occurred_at": TIME} | fields


def import_lines(folder: Path, *lines: dict[str, Any], **options: Any) -> str:
    path = folder / "commands.jsonl"
    path.write_bytes(b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))
    return import_path(path, products=folder / "products.csv", **options)


def import_path(path: Path, **options: Any) -> str:
    output = StringIO()
    call_command("import_orders", path, stdout=output, **options)
    return output.getvalue()


def messages() -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT event_type, metadata, occurred_at FROM outbox ORDER BY message_id")
        return list(cursor.fetchall())


def state() -> tuple[Any, ...]:
    """Everything that an import changes, apart from keys that depend on the order of processes."""
    return (
        sorted(Order.objects.values_list("source", "reference", "total", "returned", "version")),
        sorted(
            OrderItem.objects.values_list(
                "order__reference", "line_no", "product__sku", "qty", "returned_qty"
            )
        ),
        sorted(CreditNote.objects.values_list("reference", "total")),
        sorted(Stock.objects.values_list("product__sku", "on_hand", "reserved")),
        sorted(User.objects.values_list("username", "customer_number")),
        sorted(IdempotencyKey.objects.values_list("scope", "key", "status")),
        sorted(event_type for event_type, _, _ in messages()),
    )


def test_an_order_keeps_its_reference_price_time_and_line_number(folder: Path) -> None:
    import_lines(folder, place(1, "536365", line_no=42))

    order = Order.objects.get()
    assert (order.source, order.reference, str(order.total)) == ("retail", "536365", "4.5100")
    assert (order.created_at.isoformat(), order.ship_country) == ("2010-12-01T08:26:00+00:00", "France")
    assert order.items.get().line_no == 42
    assert order.user is not None
    assert (order.user.username, order.user.customer_number) == ("customer-17", "17")
    assert not order.user.has_usable_password()


def test_events_tell_who_imported_them_and_when_they_happened(folder: Path) -> None:
    import_lines(folder, place(1, "536365"), source="till")

    event_type, metadata, occurred_at = messages()[-1]
    assert event_type == "OrderPlaced"
    assert orjson.loads(metadata)["actor"] == "import:till"
    assert occurred_at.isoformat() == "2010-12-01T08:26:00+00:00"


def test_sold_products_are_listed_with_their_opening_stock(folder: Path) -> None:
    import_lines(folder, place(1, "1"), opening_stock=50)

    assert set(Product.objects.values_list("sku", "category")) == {
        ("mug", "merchandise"),
        ("cup", "merchandise"),
    }
    assert set(Stock.objects.values_list("product__sku", "on_hand", "reserved")) == {
        ("mug", 50, 2),
        ("cup", 50, 0),
    }


def test_customers_of_the_file_are_created_once_and_found_again(folder: Path) -> None:
    User.objects.create(username="ada", customer_number="17")
    customers = folder / "customers.csv"
    customers.write_text("customer_id,first_country,first_seen\n18,France,2010-12-01 09:00:00\n")

    import_lines(folder, place(1, "1"), place(2, "2", customer=None), customers=customers)

    assert Order.objects.get(reference="1").user == User.objects.get(username="ada")
    assert Order.objects.get(reference="2").user is None
    assert User.objects.get(customer_number="18").date_joined.isoformat() == "2010-12-01T09:00:00+00:00"


def test_a_name_that_belongs_to_somebody_else_is_an_error(folder: Path) -> None:
    User.objects.create(username="customer-17")

    with pytest.raises(CommandError, match="customer-17 belongs to somebody"):
        import_lines(folder, place(1, "1"))
    assert not Order.objects.exists()


def test_a_whole_life_of_an_order_is_imported(folder: Path) -> None:
    import_lines(
        folder,
        place(1, "1"),
        change(2, "ChargePayment", "1", amount="4.51", reference="p1"),
        change(3, "ship_order", "1"),
        change(4, "DeliverOrder", "1"),
        credit(5, "1"),
        place(6, "2"),
        change(7, "CancelOrder", "2", reason="changed my mind"),
    )

    assert dict(Order.objects.values_list("reference", "status")) == {"1": "delivered", "2": "cancelled"}
    assert OrderItem.objects.get(order__reference="1").returned_qty == 1


def test_a_credit_note_finds_an_order_of_its_own_batch(folder: Path) -> None:
    import_lines(folder, place(1, "1"), credit(2, "1"), credit(3, None), batch=100)

    assert OrderItem.objects.get().returned_qty == 1
    assert CreditNote.objects.count() == 2


def test_importing_again_changes_nothing(folder: Path) -> None:
    lines = [place(1, "1"), credit(2, "1"), place(3, "3", sku="old")]
    with pytest.raises(SystemExit):
        import_lines(folder, *lines)
    before = state()

    output = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command(
            "import_orders",
            folder / "commands.jsonl",
            products=folder / "products.csv",
            opening_stock=5,
            stdout=output,
        )

    assert state() == before
    assert ended.value.code == 3
    assert "of which 3 had run before" in output.getvalue()
    assert "1 UnknownProduct" in output.getvalue()


def test_a_limited_import_is_continued_by_a_whole_one(folder: Path) -> None:
    lines = [place(seq, str(seq)) for seq in range(1, 8)]
    import_lines(folder, *lines, limit=3, batch=2)
    assert Order.objects.count() == 3

    output = import_lines(folder, *lines, batch=5)

    assert Order.objects.count() == 7
    assert "of which 3 had run before" in output


def test_two_files_with_the_same_seq_do_not_collide(folder: Path) -> None:
    import_lines(folder, place(1, "1"))
    import_lines(folder, place(1, "2"))

    assert Order.objects.count() == 2


def test_refused_commands_are_reported_with_rule_and_line(folder: Path) -> None:
    lines = [
        place(1, "1"),
        place(2, "2", qty=-3) | {"expect_reject": "negative_quantity"},
        place(3, "1"),
        change(4, "ShipOrder", "99"),
    ]
    report = folder / "refused.jsonl"

    with pytest.raises(SystemExit) as ended:
        import_lines(folder, *lines, report=report)

    assert ended.value.code == 3
    said = [orjson.loads(line) for line in report.read_bytes().splitlines()]
    assert [(line["seq"], line["line"], line["rule"]) for line in said] == [
        (2, 2, "QuantityBelowOne"),
        (3, 3, "ReferenceUsed"),
        (4, 4, "NotFound"),
    ]
    assert said[0] == {
        "seq": 2,
        "line": 2,
        "type": "PlaceOrder",
        "rule": "QuantityBelowOne",
        "message": "A quantity must be at least one.",
        "details": {"sku": "mug", "qty": -3},
        "expect_reject": "negative_quantity",
    }
    assert said[2]["details"] == {"order": "99"}


def test_a_report_tells_again_what_an_earlier_import_refused(folder: Path) -> None:
    report = folder / "refused.jsonl"
    for _ in range(2):
        with pytest.raises(SystemExit):
            import_lines(folder, place(1, "1", qty=0), report=report)

    assert orjson.loads(report.read_bytes())["rule"] == "QuantityBelowOne"


@pytest.mark.parametrize("spoilt", [b"{", b'{"seq": 9}'])
def test_nothing_is_done_when_any_line_is_wrong(folder: Path, spoilt: bytes) -> None:
    path = folder / "commands.jsonl"
    path.write_bytes(orjson.dumps(place(1, "1")) + b"\n" + spoilt)

    with pytest.raises(CommandError) as caught:
        import_path(path, products=folder / "products.csv")

    assert caught.value.returncode == 2
    assert "commands.jsonl, line 2: " in str(caught.value)
    assert not Product.objects.exists()
    assert not User.objects.exists()


def test_nothing_is_done_when_the_customers_are_wrong(folder: Path) -> None:
    with pytest.raises(CommandError, match="no such file"):
        import_lines(folder, place(1, "1"), customers=folder / "gone.csv")

    assert not Product.objects.exists()


def test_a_report_that_cannot_be_written_is_an_error(folder: Path) -> None:
    with pytest.raises(CommandError, match="no such file"):
        import_lines(folder, place(1, "1"), report=folder / "gone" / "report.jsonl")

    assert not Product.objects.exists()


def test_an_import_that_was_killed_is_completed_by_the_next_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [place(seq, str(seq)) for seq in range(1, 60)] + [credit(60, "7"), place(61, "61", sku="old")]

    def killed_in_the_fourth_batch() -> None:
        original, calls = runner.handle_batch, iter(range(100))

        def handle_or_die(requests: list[Request]) -> list[Outcome]:
            if next(calls) == 4:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(requests)

        runner.handle_batch = handle_or_die
        import_lines(folder, *lines, batch=7)

    in_child(killed_in_the_fourth_batch)
    assert 0 < Order.objects.count() < 59
    with pytest.raises(SystemExit):
        import_lines(folder, *lines, batch=10)

    assert Order.objects.count() == 59
    assert Stock.objects.get(product__sku="mug").reserved == 59 * 2 - 1
    assert IdempotencyKey.objects.filter(status=200).count() == 60 + 2


def test_several_processes_come_to_the_same_end(folder: Path) -> None:
    orders = [place(seq, str(seq), customer=str(seq % 5) if seq % 5 else None) for seq in range(1, 41)]
    credits_ = [credit(100 + seq, str(seq), str(seq % 5) if seq % 5 else None) for seq in range(1, 41, 3)]

    output = import_lines(folder, *orders, *credits_, processes=3, batch=3)

    assert Order.objects.count() == 40
    assert OrderItem.objects.filter(returned_qty=1).count() == 14
    assert "Commands: 54 in" in output


def test_products_are_changed_by_one_process_only(folder: Path) -> None:
    restock = {"seq": 2, "type": "RestockProduct", "sku": "mug", "qty": 5, "occurred_at": TIME}

    with pytest.raises(CommandError, match="only one process keeps its order"):
        import_lines(folder, place(1, "1"), restock, processes=2)
    import_lines(folder, place(1, "1"), restock)

    assert Stock.objects.get(product__sku="mug").on_hand == 1_000_005


def test_a_lost_process_ends_the_import(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(_: list[Request]) -> list[Outcome]:
        if multiprocessing.parent_process():
            os.kill(os.getpid(), signal.SIGKILL)
        return handle_batch(_)

    handle_batch = runner.handle_batch
    monkeypatch.setattr(runner, "handle_batch", die)

    with pytest.raises(CommandError, match="start the import again"):
        import_lines(folder, place(1, "1"), processes=2)


def test_a_command_that_another_import_is_running_is_waited_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "PATIENCE_SECONDS", 0.3)
    import_lines(folder, place(1, "1"))
    scope = IdempotencyKey.objects.get(key="1").scope
    with other_session() as session:
        session.execute("SELECT pg_advisory_lock(hashtextextended(%s || chr(31) || %s, 0))", (scope, "1"))

        with pytest.raises(CommandError, match="Another import of this file is running"):
            import_lines(folder, place(1, "1"))


def test_progress_is_told_in_lines_where_there_is_no_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orders_write.importing.progress.LINE_SECONDS", 0.0)

    output = import_lines(folder, place(1, "1"), place(2, "2"), batch=1)

    assert "1 of 2 commands, " in output
    assert " s left" in output


def test_progress_is_a_bar_on_a_terminal(folder: Path) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    output = Terminal()
    (folder / "commands.jsonl").write_bytes(orjson.dumps(place(1, "1")))
    call_command(
        "import_orders",
        folder / "commands.jsonl",
        products=folder / "products.csv",
        stdout=output,
        no_color=True,
    )

    assert "1/1" in output.getvalue()


def test_the_help_tells_what_the_exit_codes_mean() -> None:
    assert "3 some commands were refused" in import_orders.Command.help


@contextmanager
def other_session() -> Iterator[Any]:
    other = connections["default"].copy()
    try:
        yield other.cursor()
    finally:
        other.close()


def in_child(work: Any) -> None:
    """Run work in a forked process and wait for its end."""
    connections.close_all()
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join(30)
    assert child.exitcode == -signal.SIGKILL
    time.sleep(0.1)
