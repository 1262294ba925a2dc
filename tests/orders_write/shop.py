"""A shop in the database: set up through commands, looked at through rows and messages."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from orders_write.commands import Address, Command, ListProduct, OrderLine, PlaceOrder, SetCreditLimit
from orders_write.domain.order import Order
from orders_write.handlers import handle
from orders_write.idempotency import Key
from orders_write.models import User
from orders_write.requests import Outcome, Request

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOME = Address(
    country="France", name="Ada", street="1 Rue A", postcode="75001", city="Paris", email="ada@example.org"
)


def do(command: Command, **changes: Any) -> Outcome:
    """Carry out a command."""
    return handle(request(command, **changes))


def request(command: Command, **changes: Any) -> Request:
    return Request(**({"command": command, "actor": "user:1", "now": NOON} | changes))


def key(value: str, fingerprint: bytes = b"f", scope: str = "user:1 orders") -> Key:
    return Key(scope, value, fingerprint)


def customer(name: str = "ada", credit_limit: str | None = None) -> int:
    user = User.objects.create(username=name, customer_number=f"N-{name}")
    if credit_limit is not None:
        do(SetCreditLimit(user_id=user.pk, limit=Decimal(credit_limit)))
    return int(user.pk)


def list_products(*skus: str, on_hand: int = 100, price: str = "2.5") -> None:
    for sku in skus:
        outcome = do(
            ListProduct(sku=sku, name=sku.title(), category="kitchen", price=Decimal(price), on_hand=on_hand)
        )
        assert outcome.refusal is None


def wish(user_id: int | None, *lines: tuple[str, int], **changes: Any) -> PlaceOrder:
    wanted = tuple(OrderLine(sku=sku, qty=qty) for sku, qty in lines or [("mug", 2)])
    return PlaceOrder(**({"user_id": user_id, "lines": wanted, "address": HOME} | changes))


def place(user_id: int | None, *lines: tuple[str, int], **changes: Any) -> Order:
    outcome = do(wish(user_id, *lines, **changes))
    assert isinstance(outcome.state, Order), outcome.refusal
    return outcome.state


def rows(sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def messages() -> list[tuple[str, int]]:
    """List the event types and versions that wait in the outbox, in order."""
    return rows("SELECT event_type, aggregate_version FROM outbox ORDER BY message_id")


def stock(sku: str) -> tuple[int, int]:
    """Return (on hand, reserved)."""
    return rows("SELECT on_hand, reserved FROM stock JOIN products USING (product_id) WHERE sku = %s", sku)[0]  # type: ignore[return-value]


def credit_used(user_id: int) -> Decimal:
    return Decimal(rows("SELECT used FROM credit_accounts WHERE user_id = %s", user_id)[0][0])


@contextmanager
def closing_connection() -> Iterator[None]:
    """For the body of a thread: close the connection that Django opened for it."""
    try:
        yield
    finally:
        connection.close()
