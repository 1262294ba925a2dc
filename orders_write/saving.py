"""Write what a repository has gathered, in one call: the rows of every table travel as one JSON object.

The SQL is a function, `sql/save_batch.sql`. Every row was locked when the batch was loaded, or is new.
"""

from collections.abc import Iterable
from typing import Any

import orjson
import psycopg
from django.db import connection

from .domain.order import Order
from .domain.product import sum_moves
from .idempotency import Answer, Key
from .repository import Repository

SAVE_BATCH = "SELECT save_batch($1::jsonb)"

Row = dict[str, Any]


def save(repository: Repository, answers: Iterable[tuple[Key, Answer]]) -> None:
    """Write the changes and the answers; one round trip. Call it after the repository's messages were appended."""
    rows = {table: list(rows) for table, rows in _rows(repository, answers).items()}
    changes = {table: rows for table, rows in rows.items() if rows}
    if changes:
        with psycopg.RawCursor(connection.connection) as cursor:
            cursor.execute(SAVE_BATCH, [orjson.dumps(changes, default=str).decode()])


def _rows(repository: Repository, answers: Iterable[tuple[Key, Answer]]) -> dict[str, Iterable[Row]]:
    new_orders = [repository.changed_orders[order_id] for order_id in repository.placed]
    old_orders = [each for key, each in repository.changed_orders.items() if key not in repository.placed]
    moves = (move for move in repository.stock_moves if move.product_id not in repository.listed)
    return {
        "new_products": _new_products(repository),
        "products": _changed_products(repository),
        "stock_moves": (_stock_move_row(*move) for move in sum_moves(moves)),
        "new_accounts": _credit_limits(repository, opened=True),
        "credit_limits": _credit_limits(repository, opened=False),
        "credit_uses": _credit_uses(repository),
        "new_orders": (_new_order(repository, each) for each in new_orders),
        "new_items": (row for each in new_orders for row in _new_items(each)),
        "orders": (
            _changed_order(repository, each)
            for each in old_orders
            if each.order_id not in repository.erased_orders
        ),
        "erased_orders": (
            _changed_order(repository, each)
            for each in old_orders
            if each.order_id in repository.erased_orders
        ),
        "items": (row for each in old_orders for row in _returned_items(each)),
        "payments": repository.payments,
        "credit_notes": _credit_notes(repository),
        "credit_note_lines": _credit_note_lines(repository),
        "answers": (_answer(key, answer) for key, answer in answers),
    }


def _new_order(repository: Repository, order: Order) -> Row:
    address, request = repository.placed[order.order_id]
    return _changed_order(repository, order) | {
        "user_id": order.user_id,
        "source": order.source,
        "reference": order.reference,
        "total": order.total,
        "currency": order.currency,
        "on_credit": order.on_credit,
        "created_at": request.now,
        "ship_name": address.name,
        "ship_street": address.street,
        "ship_postcode": address.postcode,
        "ship_city": address.city,
        "ship_country": address.country,
        "ship_email": address.email,
    }


def _changed_order(repository: Repository, order: Order) -> Row:
    return {
        "order_id": order.order_id,
        "status": order.status,
        "paid": order.paid,
        "returned": order.returned,
        "version": order.version,
        "last_message_id": repository.newest_message_id("order", order.order_id),
    }


def _new_items(order: Order) -> Iterable[Row]:
    return (
        {
            "order_id": order.order_id,
            "line_no": line.line_no,
            "product_id": line.product_id,
            "qty": line.qty,
            "price": line.price,
            "returned_qty": line.returned,
        }
        for line in order.lines
    )


def _returned_items(order: Order) -> Iterable[Row]:
    return (
        {"order_id": order.order_id, "line_no": line.line_no, "returned_qty": line.returned}
        for line in order.lines
        if line.returned
    )


def _credit_notes(repository: Repository) -> Iterable[Row]:
    return (
        {
            "credit_note_id": note.credit_note_id,
            "user_id": note.user_id,
            "source": note.source,
            "reference": note.reference,
            "country": note.country,
            "currency": note.currency,
            "total": note.total,
            "reason": note.reason,
            "created_at": request.now,
            "version": 1,
            "last_message_id": repository.newest_message_id("credit_note", note.credit_note_id),
        }
        for note, request in repository.credit_notes
    )


def _credit_note_lines(repository: Repository) -> Iterable[Row]:
    return (
        {
            "credit_note_id": note.credit_note_id,
            "line_no": line.line_no,
            "order_id": line.order_id,
            "order_line_no": line.order_line_no,
            "product_id": line.product_id,
            "sku": line.sku,
            "qty": line.qty,
            "price": line.price,
        }
        for note, _ in repository.credit_notes
        for line in note.lines
    )


def _new_products(repository: Repository) -> Iterable[Row]:
    for product_id, sku in repository.listed.items():
        each = repository.loaded.products[sku]
        yield _product(repository, product_id) | {
            "sku": each.sku,
            "name": each.name,
            "category": each.category,
            "on_hand": each.on_hand,
            "reserved": each.reserved,
        }


def _changed_products(repository: Repository) -> Iterable[Row]:
    return (
        _product(repository, each) for each in repository.changed_products if each not in repository.listed
    )


def _product(repository: Repository, product_id: int) -> Row:
    each = repository.loaded.products[repository.skus[product_id]]
    return {
        "product_id": product_id,
        "price": each.price,
        "retired": each.retired,
        "version": each.version,
        "last_message_id": repository.newest_message_id("product", product_id),
    }


def _stock_move_row(product_id: int, on_hand: int, reserved: int) -> Row:
    return {"product_id": product_id, "on_hand": on_hand, "reserved": reserved}


def _credit_limits(repository: Repository, *, opened: bool) -> Iterable[Row]:
    """Return the accounts with a new limit: those opened by this batch, or those that stood before."""
    for user_id, account in repository.changed_accounts.items():
        message_id = repository.newest_message_id("credit_account", user_id)
        if message_id is not None and opened == (user_id in repository.opened):
            yield {
                "user_id": user_id,
                "limit": account.limit,
                "used": account.used,
                "version": account.version,
                "last_message_id": message_id,
            }


def _credit_uses(repository: Repository) -> Iterable[Row]:
    for user_id, account in repository.changed_accounts.items():
        if repository.newest_message_id("credit_account", user_id) is None:
            yield {"user_id": user_id, "used": account.used}


def _answer(key: Key, answer: Answer) -> Row:
    return {
        "scope": key.scope,
        "key": key.value,
        "fingerprint": key.fingerprint.hex(),
        "status": answer.status,
        "headers": dict(answer.headers),
        "body": answer.body,
    }
