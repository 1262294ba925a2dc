"""Write what a repository has gathered: one statement per table, all of them in one round trip.

Every row was locked when the batch was loaded, or is new; rows go out in the order of their keys.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
import psycopg
from django.db import connection

from .domain.order import Order
from .domain.product import sum_moves
from .idempotency import STORE, Answer, Key
from .repository import Repository

INSERT_ORDERS = """
INSERT INTO orders (order_id, user_id, source, reference, status, total, paid, returned, currency, on_credit, created_at,
    ship_name, ship_street, ship_postcode, ship_city, ship_country, ship_email, version, last_message_id)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::numeric[], %s::numeric[],
    %s::numeric[], %s::text[], %s::boolean[], %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[],
    %s::text[], %s::text[], %s::bigint[], %s::bigint[])
"""
INSERT_ITEMS = """
INSERT INTO order_items (order_id, line_no, product_id, qty, price, returned_qty)
SELECT * FROM unnest(%s::bigint[], %s::integer[], %s::bigint[], %s::integer[], %s::numeric[], %s::integer[])
"""
UPDATE_ORDERS = """
UPDATE orders SET status = new.status, paid = new.paid, returned = new.returned, version = new.version,
    last_message_id = new.last_message_id
  FROM unnest(%s::bigint[], %s::text[], %s::numeric[], %s::numeric[], %s::bigint[], %s::bigint[])
    AS new (order_id, status, paid, returned, version, last_message_id)
 WHERE orders.order_id = new.order_id
"""
UPDATE_ITEMS = """
UPDATE order_items SET returned_qty = new.returned_qty
  FROM unnest(%s::bigint[], %s::integer[], %s::integer[]) AS new (order_id, line_no, returned_qty)
 WHERE order_items.order_id = new.order_id AND order_items.line_no = new.line_no
   AND order_items.returned_qty <> new.returned_qty
"""
INSERT_PAYMENTS = """
INSERT INTO payments (order_id, kind, amount, reference, method, created_at)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::numeric[], %s::text[], %s::text[], %s::timestamptz[])
"""
INSERT_CREDIT_NOTES = """
INSERT INTO credit_notes (credit_note_id, user_id, source, reference, country, currency, total, reason, created_at,
    version, last_message_id)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::numeric[],
    %s::text[], %s::timestamptz[], %s::bigint[], %s::bigint[])
"""
INSERT_CREDIT_NOTE_LINES = """
INSERT INTO credit_note_lines (credit_note_id, line_no, order_id, order_line_no, product_id, sku, qty, price)
SELECT * FROM unnest(%s::bigint[], %s::integer[], %s::bigint[], %s::integer[], %s::bigint[], %s::text[], %s::integer[],
    %s::numeric[])
"""
INSERT_PRODUCTS = """
INSERT INTO products (product_id, sku, name, category, price, retired, version, last_message_id)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::numeric[], %s::boolean[], %s::bigint[],
    %s::bigint[])
"""
INSERT_STOCK = """
INSERT INTO stock (product_id, on_hand, reserved) SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[])
"""
UPDATE_PRODUCTS = """
UPDATE products SET price = new.price, retired = new.retired, version = new.version,
    last_message_id = new.last_message_id
  FROM unnest(%s::bigint[], %s::numeric[], %s::boolean[], %s::bigint[], %s::bigint[])
    AS new (product_id, price, retired, version, last_message_id)
 WHERE products.product_id = new.product_id
"""
MOVE_STOCK = """
UPDATE stock SET on_hand = on_hand + moved.on_hand_change, reserved = reserved + moved.reserved_change
  FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS moved (product_id, on_hand_change, reserved_change)
 WHERE stock.product_id = moved.product_id
"""
SET_CREDIT_LIMITS = """
INSERT INTO credit_accounts (user_id, "limit", used, version, last_message_id)
SELECT * FROM unnest(%s::bigint[], %s::numeric[], %s::numeric[], %s::bigint[], %s::bigint[])
    ON CONFLICT (user_id) DO UPDATE SET "limit" = excluded."limit", used = excluded.used, version = excluded.version,
       last_message_id = excluded.last_message_id
"""
USE_CREDIT = """
UPDATE credit_accounts SET used = new.used FROM unnest(%s::bigint[], %s::numeric[]) AS new (user_id, used)
 WHERE credit_accounts.user_id = new.user_id
"""

Row = Sequence[Any]


def save(repository: Repository, answers: Iterable[tuple[Key, Answer]]) -> None:
    """Write the changes and the answers; one round trip. Call it after the repository's messages were appended."""
    changed = [(sql, list(rows)) for sql, rows in _changes(repository, answers)]
    with connection.connection.pipeline(), psycopg.Cursor(connection.connection) as cursor:
        for sql, rows in changed:
            if rows:
                cursor.execute(sql, [list(column) for column in zip(*rows, strict=True)])


def _changes(
    repository: Repository, answers: Iterable[tuple[Key, Answer]]
) -> Iterable[tuple[str, Iterable[Row]]]:
    """Yield each statement with its rows; referenced rows come before those that refer to them."""
    new_orders = [repository.changed_orders[order_id] for order_id in repository.placed]
    old_orders = [
        each for key, each in sorted(repository.changed_orders.items()) if key not in repository.placed
    ]
    yield INSERT_PRODUCTS, _listed(repository)
    yield INSERT_STOCK, ((each.product_id, each.on_hand, 0) for each in repository.listed.values())
    yield UPDATE_PRODUCTS, _changed_products(repository)
    yield INSERT_ORDERS, (_order_row(repository, each) for each in new_orders)
    yield INSERT_ITEMS, (row for each in new_orders for row in _item_rows(each))
    yield UPDATE_ORDERS, (_order_change(repository, each) for each in old_orders)
    yield (
        UPDATE_ITEMS,
        (
            (each.order_id, line.line_no, line.returned)
            for each in old_orders
            for line in each.lines
            if line.returned
        ),
    )
    yield INSERT_PAYMENTS, repository.payments
    yield INSERT_CREDIT_NOTES, _credit_notes(repository)
    yield INSERT_CREDIT_NOTE_LINES, _credit_note_lines(repository)
    yield (
        MOVE_STOCK,
        ((move.product_id, move.on_hand, move.reserved) for move in sum_moves(repository.stock_moves)),
    )
    yield SET_CREDIT_LIMITS, _credit_limits(repository)
    yield USE_CREDIT, _credit_uses(repository)
    yield STORE, (_answer_row(key, answer) for key, answer in answers)


def _order_row(repository: Repository, order: Order) -> Row:
    address, request = repository.placed[order.order_id]
    return (
        order.order_id,
        order.user_id,
        order.source,
        order.reference,
        order.status.value,
        order.total,
        order.paid,
        order.returned,
        order.currency,
        order.on_credit,
        request.now,
        address.name,
        address.street,
        address.postcode,
        address.city,
        address.country,
        address.email,
        order.version,
        repository.newest_message_id("order", order.order_id),
    )


def _item_rows(order: Order) -> Iterable[Row]:
    order_id = order.order_id
    return (
        (order_id, line.line_no, line.product_id, line.qty, line.price, line.returned) for line in order.lines
    )


def _order_change(repository: Repository, order: Order) -> Row:
    message_id = repository.newest_message_id("order", order.order_id)
    return order.order_id, order.status.value, order.paid, order.returned, order.version, message_id


def _credit_notes(repository: Repository) -> Iterable[Row]:
    for note, request in repository.credit_notes:
        message_id = repository.newest_message_id("credit_note", note.credit_note_id)
        yield (
            note.credit_note_id,
            note.user_id,
            note.source,
            note.reference,
            note.country,
            note.currency,
            note.total,
            note.reason,
            request.now,
            1,
            message_id,
        )


def _credit_note_lines(repository: Repository) -> Iterable[Row]:
    return (
        (
            note.credit_note_id,
            line.line_no,
            line.order_id,
            line.order_line_no,
            line.product_id,
            line.sku,
            line.qty,
            line.price,
        )
        for note, _ in repository.credit_notes
        for line in note.lines
    )


def _listed(repository: Repository) -> Iterable[Row]:
    for product_id in repository.listed:
        each = repository.changed_products[product_id]
        message_id = repository.newest_message_id("product", product_id)
        yield (
            product_id,
            each.sku,
            each.name,
            each.category,
            each.price,
            each.retired,
            each.version,
            message_id,
        )


def _changed_products(repository: Repository) -> Iterable[Row]:
    for product_id, each in sorted(repository.changed_products.items()):
        if product_id not in repository.listed:
            message_id = repository.newest_message_id("product", product_id)
            yield product_id, each.price, each.retired, each.version, message_id


def _credit_limits(repository: Repository) -> Iterable[Row]:
    for user_id, account in sorted(repository.changed_accounts.items()):
        message_id = repository.newest_message_id("credit_account", user_id)
        if message_id is not None:
            yield user_id, account.limit, account.used, account.version, message_id


def _credit_uses(repository: Repository) -> Iterable[Row]:
    for user_id, account in sorted(repository.changed_accounts.items()):
        if repository.newest_message_id("credit_account", user_id) is None:
            yield user_id, account.used


def _answer_row(key: Key, answer: Answer) -> Row:
    headers = orjson.dumps(dict(answer.headers)).decode()
    return key.scope, key.value, key.fingerprint, answer.status, headers, answer.body
