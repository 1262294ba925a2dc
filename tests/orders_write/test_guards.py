"""The database itself refuses what goes past the commands: SQL, QuerySet.update(), a shell."""

from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import F

from orders_write.commands import RecordCreditNote
from orders_write.models import CreditAccount, CreditNote, Order, Product, Stock

from .shop import customer, do, list_products, place, rows
from .test_handlers import credited

pytestmark = pytest.mark.usefixtures("database")

NO_EVENT = "has no event"
MUST_RAISE = "must raise version and last_message_id"


@pytest.fixture
def shop(database: None) -> None:
    ada = customer(credit_limit="100")
    list_products("mug")
    order = place(ada)
    do(RecordCreditNote(user_id=ada, lines=(credited(1, order.order_id),)))


def execute(sql: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.mark.parametrize("table", ["orders", "products", "credit_notes", "credit_accounts"])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("version = version", MUST_RAISE),
        ("version = version + 1", MUST_RAISE),
        ("version = version + 1, last_message_id = last_message_id + 1000", NO_EVENT),
        ("version = version - 1, last_message_id = last_message_id - 1", MUST_RAISE),
    ],
)
def test_sql_cannot_change_an_aggregate_without_an_event(
    shop: None, table: str, change: str, reason: str
) -> None:
    with pytest.raises(IntegrityError, match=reason):
        execute(f"UPDATE {table} SET {change}")


@pytest.mark.parametrize("model", [Order, Product, CreditNote, CreditAccount])
def test_a_queryset_cannot_either(shop: None, model: type[Order]) -> None:
    with pytest.raises(IntegrityError, match=MUST_RAISE):
        model._default_manager.update(version=F("version"))


def test_a_saved_model_cannot_either(shop: None) -> None:
    order = Order.objects.get()
    order.status = "delivered"

    with pytest.raises(IntegrityError, match=MUST_RAISE):
        order.save()


def test_another_aggregates_event_does_not_do(shop: None) -> None:
    with pytest.raises(IntegrityError, match=NO_EVENT):
        execute(
            "UPDATE orders SET version = version + 1, last_message_id = "
            "(SELECT max(message_id) FROM outbox WHERE event_type = 'CreditNoteRecorded') + 100"
        )


def test_an_order_cannot_be_made_without_an_event(shop: None) -> None:
    order = Order.objects.get()
    order.pk, order.reference = None, None
    order._state.adding = True

    with pytest.raises(IntegrityError, match=NO_EVENT):
        order.save()


@pytest.mark.parametrize("table", ["orders", "products", "credit_notes", "credit_accounts"])
def test_what_happened_is_not_removed(shop: None, table: str) -> None:
    for removal in (f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
        with pytest.raises(DatabaseError, match="what happened is not removed"):
            execute(removal)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("UPDATE stock SET reserved = on_hand + 1", "stock_not_oversold"),
        ("UPDATE stock SET reserved = -1", "stock_not_oversold"),
        ('UPDATE credit_accounts SET used = "limit" + 0.0001', "credit_within_limit"),
        ("UPDATE credit_accounts SET used = -0.0001", "credit_within_limit"),
        ("UPDATE order_items SET returned_qty = qty + 1", "order_items_returned_within_sold"),
        ("UPDATE order_items SET qty = 0", "order_items_"),
        ("UPDATE order_items SET price = 0", "order_items_price_positive"),
        ("UPDATE orders SET total = 0", "orders_"),
        ("UPDATE orders SET paid = total + 1", "orders_paid_within_total"),
        ("UPDATE orders SET status = 'lost'", "orders_status_known"),
        ("UPDATE orders SET status = 'cancelled', paid = 1", "orders_cancelled_unpaid"),
        ("UPDATE products SET price = 0", "products_price_positive"),
        ("UPDATE products SET sku = ''", "products_sku_given"),
        ("UPDATE credit_note_lines SET qty = 0", "credit_note_lines_qty_positive"),
        ("UPDATE credit_note_lines SET price = -1", "credit_note_lines_price_not_negative"),
        ("UPDATE credit_note_lines SET order_line_no = NULL", "credit_note_lines_order_line_whole"),
        ("UPDATE credit_note_lines SET order_line_no = 99", "credit_note_lines_order_line"),
        ("UPDATE credit_notes SET total = -1", "credit_notes_total_not_negative"),
    ],
)
def test_a_check_stands_behind_every_rule(shop: None, change: str, constraint: str) -> None:
    with pytest.raises(IntegrityError, match=constraint):
        execute(change)


def test_money_keeps_four_decimals(shop: None) -> None:
    list_products("grain", price="0.0001")

    assert place(None, ("grain", 3)).total == Decimal("0.0003")
    assert rows("SELECT total FROM orders ORDER BY order_id DESC LIMIT 1") == [(Decimal("0.0003"),)]


def test_stock_is_a_table_of_its_own() -> None:
    assert Stock._meta.db_table == "stock"
    assert "on_hand" not in {field.name for field in Product._meta.get_fields()}
