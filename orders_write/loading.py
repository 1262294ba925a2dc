"""Lock and read the rows that a batch of commands needs, in one round trip.

Locks are taken in one order everywhere: idempotency keys, orders, credit accounts, stock; within a table by key. So no
two commands wait for each other in a circle, and all of a command's locks are taken before its first message is
inserted. What is read without a lock (a product's name and price) is read after the lock on its stock, which
whoever changes the product holds too.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import connection
from psycopg.pq import TransactionStatus
from psycopg.rows import namedtuple_row

from .domain.credit import CreditAccount
from .domain.order import Order
from .domain.product import Product
from .events import PlacedLine, Status
from .exceptions import StillRunning
from .idempotency import CLAIM, STILL_RUNNING, Answer, Key, stored_answers
from .needs import Needs, Reference

# $1 order ids, $2 and $3 the sources and references of orders that are named by these.
ORDER_IDS = """
SELECT unnest($1::bigint[]) AS order_id UNION
SELECT order_id FROM orders JOIN unnest($2::text[], $3::text[]) AS named (source, reference) USING (source, reference)
"""
LOCK_ORDERS = f"""
SELECT orders.*, customer_number FROM orders LEFT JOIN users ON users.id = user_id
 WHERE order_id IN ({ORDER_IDS}) ORDER BY order_id FOR NO KEY UPDATE OF orders
"""
LOCK_ACCOUNTS = "SELECT * FROM credit_accounts WHERE user_id = ANY($1) ORDER BY user_id FOR NO KEY UPDATE"
LOCK_ACCOUNTS_OF_ORDERS = f"""
SELECT * FROM credit_accounts WHERE user_id IN
    (SELECT unnest($4::bigint[]) UNION SELECT user_id FROM orders WHERE order_id IN ({ORDER_IDS}))
 ORDER BY user_id FOR NO KEY UPDATE
"""
LOCK_STOCK = """
SELECT FROM stock WHERE product_id IN (SELECT product_id FROM products WHERE sku = ANY($1))
 ORDER BY product_id FOR NO KEY UPDATE
"""
LOCK_STOCK_OF_ORDERS = f"""
SELECT FROM stock WHERE product_id IN (SELECT product_id FROM products WHERE sku = ANY($4)
    UNION SELECT product_id FROM order_items WHERE order_id IN ({ORDER_IDS}))
 ORDER BY product_id FOR NO KEY UPDATE
"""
PRODUCTS = "SELECT * FROM products JOIN stock USING (product_id) WHERE sku = ANY($1)"
PRODUCTS_OF_ORDERS = f"""
SELECT * FROM products JOIN stock USING (product_id) WHERE product_id IN
    (SELECT product_id FROM products WHERE sku = ANY($4)
     UNION SELECT product_id FROM order_items WHERE order_id IN ({ORDER_IDS}))
"""
ORDER_LINES = f"""
SELECT order_items.*, sku, name, category FROM order_items JOIN products USING (product_id)
 WHERE order_id IN ({ORDER_IDS}) ORDER BY order_id, line_no
"""
CUSTOMERS = "SELECT id, customer_number FROM users WHERE id = ANY($1)"
PAYMENT_REFERENCES = "SELECT reference FROM payments WHERE reference = ANY($1)"
ORDER_REFERENCES = """
SELECT source, reference FROM orders JOIN unnest($1::text[], $2::text[]) AS wanted (source, reference)
    USING (source, reference)
"""
CREDIT_NOTE_REFERENCES = """
SELECT source, reference FROM credit_notes JOIN unnest($1::text[], $2::text[]) AS wanted (source, reference)
    USING (source, reference)
"""
DRAW = """
SELECT ARRAY(SELECT nextval('orders_order_id_seq') FROM generate_series(1, $1)) AS order_ids,
       ARRAY(SELECT nextval('credit_notes_credit_note_id_seq') FROM generate_series(1, $2)) AS credit_note_ids,
       ARRAY(SELECT nextval('products_product_id_seq') FROM generate_series(1, $3)) AS product_ids,
       (SELECT coalesce(max(position), 0) FROM event_log) AS head
"""


@dataclass(slots=True)
class Loaded:
    """Everything that the batch needs, as the domain knows it; `head` is the event log's newest position."""

    answers: dict[Key, Answer]
    orders: dict[int, Order]
    accounts: dict[int, CreditAccount]
    products: dict[str, Product]
    customer_numbers: dict[int, str | None]
    payment_references: set[str]
    order_references: set[Reference]
    credit_note_references: set[Reference]
    order_ids: deque[int]
    credit_note_ids: deque[int]
    product_ids: deque[int]
    head: int


def load(needs: Needs, keys: Sequence[Key]) -> Loaded:
    """Claim the keys, take every lock, read every row; one round trip, with the transaction's BEGIN in front.

    Must run first in the command's transaction. Raises StillRunning when another transaction holds one of the keys,
    KeyReused when one was used for another request.
    """
    try:
        with _transaction_in_a_pipeline():
            asked = _ask_all(needs, keys)
    except psycopg.DatabaseError as error:
        if error.sqlstate == STILL_RUNNING:
            raise StillRunning from None
        raise
    rows = {name: cursor.fetchall() for name, cursor in asked.items()}
    (drawn,) = rows["drawn"]
    return Loaded(
        answers=stored_answers(rows.get("answers", ()), keys),
        orders=_orders(rows.get("orders", ()), rows.get("lines", ())),
        accounts={row.user_id: _account(row) for row in rows.get("accounts", ())},
        products={row.sku: _product(row) for row in rows.get("products", ())},
        customer_numbers={row.id: row.customer_number for row in rows.get("customers", ())},
        payment_references={row.reference for row in rows.get("payment_references", ())},
        order_references={tuple(row) for row in rows.get("order_references", ())},
        credit_note_references={tuple(row) for row in rows.get("credit_note_references", ())},
        order_ids=deque(drawn.order_ids),
        credit_note_ids=deque(drawn.credit_note_ids),
        product_ids=deque(drawn.product_ids),
        head=drawn.head,
    )


@contextmanager
def _transaction_in_a_pipeline() -> Iterator[None]:
    """Open the transaction that Django believes open; psycopg's own BEGIN would cost a round trip of its own."""
    raw = connection.connection
    begins = raw.info.transaction_status == TransactionStatus.IDLE
    if begins:
        raw.autocommit = True
    with raw.pipeline():
        if begins:
            _ask("BEGIN", ())
        yield


def _ask_all(needs: Needs, keys: Sequence[Key]) -> dict[str, psycopg.RawCursor[Any]]:
    """Send every statement that the needs call for; the order is the order of the locks."""
    named = (list(needs.order_ids), *_columns(needs.order_references))
    by_order = needs.order_ids or needs.order_references
    user_ids, skus = list(needs.user_ids), list(needs.skus)
    wanted = [
        ("answers", keys, CLAIM, _columns((key.scope, key.value) for key in keys)),
        ("orders", by_order, LOCK_ORDERS, named),
        ("accounts", by_order, LOCK_ACCOUNTS_OF_ORDERS, (*named, user_ids)),
        ("accounts", user_ids and not by_order, LOCK_ACCOUNTS, (user_ids,)),
        ("stock", by_order, LOCK_STOCK_OF_ORDERS, (*named, skus)),
        ("stock", skus and not by_order, LOCK_STOCK, (skus,)),
        ("products", by_order, PRODUCTS_OF_ORDERS, (*named, skus)),
        ("products", skus and not by_order, PRODUCTS, (skus,)),
        ("lines", by_order, ORDER_LINES, named),
        ("customers", user_ids, CUSTOMERS, (user_ids,)),
        (
            "payment_references",
            needs.payment_references,
            PAYMENT_REFERENCES,
            (list(needs.payment_references),),
        ),
        (
            "order_references",
            needs.new_order_references,
            ORDER_REFERENCES,
            _columns(needs.new_order_references),
        ),
        (
            "credit_note_references",
            needs.new_credit_note_references,
            CREDIT_NOTE_REFERENCES,
            _columns(needs.new_credit_note_references),
        ),
        ("drawn", True, DRAW, (needs.new_orders, needs.new_credit_notes, needs.new_products)),
    ]
    return {name: _ask(sql, parameters) for name, needed, sql, parameters in wanted if needed}


def _ask(sql: str, parameters: Sequence[Any]) -> psycopg.RawCursor[Any]:
    cursor = psycopg.RawCursor(connection.connection, row_factory=namedtuple_row)
    cursor.execute(sql, parameters)
    return cursor


def _columns(pairs: Iterable[tuple[str, str]]) -> tuple[list[str], list[str]]:
    firsts, seconds = [], []
    for first, second in pairs:
        firsts.append(first)
        seconds.append(second)
    return firsts, seconds


def _orders(orders: Sequence[Any], items: Sequence[Any]) -> dict[int, Order]:
    lines: dict[int, list[PlacedLine]] = {}
    for item in items:
        lines.setdefault(item.order_id, []).append(_line(item))
    return {row.order_id: _order(row, lines[row.order_id]) for row in orders}


def _order(row: Any, lines: Sequence[PlacedLine]) -> Order:
    return Order(
        order_id=row.order_id,
        user_id=row.user_id,
        customer_number=row.customer_number,
        country=row.ship_country,
        currency=row.currency,
        source=row.source,
        reference=row.reference,
        on_credit=row.on_credit,
        status=Status(row.status),
        total=row.total,
        paid=row.paid,
        returned=row.returned,
        lines=tuple(lines),
        version=row.version,
    )


def _line(row: Any) -> PlacedLine:
    return PlacedLine(
        line_no=row.line_no,
        product_id=row.product_id,
        sku=row.sku,
        name=row.name,
        category=row.category,
        qty=row.qty,
        price=row.price,
        amount=row.qty * row.price,
        returned=row.returned_qty,
    )


def _product(row: Any) -> Product:
    return Product(
        product_id=row.product_id,
        sku=row.sku,
        name=row.name,
        category=row.category,
        price=row.price,
        retired=row.retired,
        on_hand=row.on_hand,
        reserved=row.reserved,
        version=row.version,
    )


def _account(row: Any) -> CreditAccount:
    return CreditAccount(user_id=row.user_id, limit=row.limit, used=row.used, version=row.version)
