"""Lock and read the rows that a batch of commands needs, in one round trip.

The SQL is a function, `sql/load_batch.sql`: it says in which order locks are taken, and why. All of a command's locks
are taken before its first message is inserted.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson
import psycopg
from django.db import connection
from psycopg.pq import TransactionStatus
from psycopg.sql import quote

from .domain.credit import CreditAccount
from .domain.order import Order
from .domain.product import Product
from .events import PlacedLine, Status
from .exceptions import StillRunning
from .idempotency import STILL_RUNNING, Answer, Key, stored_answers
from .needs import Needs, Reference

Row = Mapping[str, Any]


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
    rows = _call(_asked(needs, keys))
    return Loaded(
        answers=stored_answers(_list(rows, "answers"), keys),
        orders=_orders(_list(rows, "orders"), _list(rows, "lines")),
        accounts={row["user_id"]: _account(row) for row in _list(rows, "accounts")},
        products={row["sku"]: _product(row) for row in _list(rows, "products")},
        customer_numbers=dict(_list(rows, "customers")),
        payment_references=set(_list(rows, "payment_references")),
        order_references=set(map(tuple, _list(rows, "order_references"))),
        credit_note_references=set(map(tuple, _list(rows, "credit_note_references"))),
        order_ids=deque(rows["order_ids"]),
        credit_note_ids=deque(rows["credit_note_ids"]),
        product_ids=deque(rows["product_ids"]),
        head=rows["head"],
    )


def _asked(needs: Needs, keys: Sequence[Key]) -> bytes:
    """Return the needs as JSON, without what is not needed."""
    asked = {name: getattr(needs, name) for name in Needs.__dataclass_fields__}
    asked["keys"] = [{"scope": key.scope, "key": key.value} for key in keys]
    return orjson.dumps({name: value for name, value in asked.items() if value}, default=list)


def _call(asked: bytes) -> dict[str, Any]:
    raw = connection.connection
    call = f"SELECT load_batch({quote(asked.decode())})"
    if raw.info.transaction_status == TransactionStatus.IDLE:
        # Open the transaction that Django believes open: psycopg's own BEGIN would cost a round trip of its own.
        raw.autocommit = True
        call = f"BEGIN; {call}"
    try:
        with psycopg.RawCursor(raw) as cursor:
            cursor.execute(call)
            cursor.set_result(-1)
            loaded = cursor.fetchone()
    except psycopg.DatabaseError as error:
        if error.sqlstate == STILL_RUNNING:
            raise StillRunning from None
        raise
    assert loaded is not None, "the function answers one row"
    return orjson.loads(loaded[0])  # type: ignore[no-any-return]


def _list(rows: Row, name: str) -> list[Any]:
    return rows.get(name) or []


def _orders(orders: Iterable[Row], lines: Iterable[Row]) -> dict[int, Order]:
    of_order: dict[int, list[PlacedLine]] = {}
    for line in lines:
        of_order.setdefault(line["order_id"], []).append(_line(line))
    return {row["order_id"]: _order(row, of_order[row["order_id"]]) for row in orders}


def _order(row: Row, lines: Iterable[PlacedLine]) -> Order:
    return Order(
        order_id=row["order_id"],
        user_id=row["user_id"],
        customer_number=row["customer_number"],
        country=row["country"],
        currency=row["currency"],
        source=row["source"],
        reference=row["reference"],
        on_credit=row["on_credit"],
        status=Status(row["status"]),
        total=Decimal(row["total"]),
        paid=Decimal(row["paid"]),
        returned=Decimal(row["returned"]),
        lines=tuple(lines),
        version=row["version"],
    )


def _line(row: Row) -> PlacedLine:
    price = Decimal(row["price"])
    return PlacedLine(
        line_no=row["line_no"],
        product_id=row["product_id"],
        sku=row["sku"],
        name=row["name"],
        category=row["category"],
        qty=row["qty"],
        price=price,
        amount=row["qty"] * price,
        returned=row["returned"],
    )


def _product(row: Row) -> Product:
    return Product(
        product_id=row["product_id"],
        sku=row["sku"],
        name=row["name"],
        category=row["category"],
        price=Decimal(row["price"]),
        retired=row["retired"],
        on_hand=row["on_hand"],
        reserved=row["reserved"],
        version=row["version"],
    )


def _account(row: Row) -> CreditAccount:
    return CreditAccount(
        user_id=row["user_id"], limit=Decimal(row["limit"]), used=Decimal(row["used"]), version=row["version"]
    )
