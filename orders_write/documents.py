"""What commands answer: the aggregate as it stands afterwards, in the shape in which the read side shows it."""

from datetime import UTC, datetime
from typing import Any

import orjson

from .commands import Address, PlaceOrder
from .domain.credit import CreditAccount
from .domain.order import Order
from .domain.product import Product
from .events import CreditNoteRecorded, PlacedLine, money, payload_of
from .requests import Outcome, Request

Document = dict[str, Any]

PERSONAL = ("name", "email", "street", "postcode", "city")


def document_of(outcome: Outcome, request: Request) -> Document:
    """Return what a command that was carried out led to."""
    match outcome.state:
        case Order() as order if isinstance(request.command, PlaceOrder):
            return placed_order(order, request.command.address, request.now)
        case Order() as order:
            return order_document(order)
        case Product() as product:
            return product_document(product)
        case CreditAccount() as account:
            return credit_account_document(account)
        case CreditNoteRecorded() as note:
            return credit_note_document(note)
    raise TypeError(f"{type(request.command).__name__} led to nothing that can be shown")


def placed_order(order: Order, address: Address, placed_at: datetime) -> Document:
    """Return a new order as its read model will have it, less the timeline."""
    personal = {name: getattr(address, name) or None for name in PERSONAL}
    return order_document(order) | {
        "customer": personal if any(personal.values()) else None,
        "placed_at": f"{placed_at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z",
    }


def order_document(order: Order) -> Document:
    """Return an order as far as commands know it: all but who gets it, and when it was placed."""
    return {
        "order_id": str(order.order_id),
        "reference": order.reference,
        "source": order.source,
        "user_id": None if order.user_id is None else str(order.user_id),
        "customer_number": order.customer_number,
        "country": order.country,
        "currency": order.currency,
        "on_credit": order.on_credit,
        "status": order.status.value,
        "total": money(order.total),
        "paid": money(order.paid),
        "returned": money(order.returned),
        "open_amount": money(order.open_amount),
        "units": sum(line.qty for line in order.lines),
        "lines": [_line(line) for line in order.lines],
        "version": order.version,
    }


def credit_note_document(note: CreditNoteRecorded) -> Document:
    """Return a credit note as its event tells of it."""
    document: Document = orjson.loads(payload_of(note))
    return document


def product_document(product: Product) -> Document:
    """Return a product with what is free of its stock."""
    return {
        "product_id": str(product.product_id),
        "sku": product.sku,
        "name": product.name,
        "category": product.category,
        "price": money(product.price),
        "retired": product.retired,
        "available": product.available,
        "version": product.version,
    }


def credit_account_document(account: CreditAccount) -> Document:
    """Return what a customer may owe and does owe."""
    return {
        "user_id": str(account.user_id),
        "limit": money(account.limit),
        "used": money(account.used),
        "version": account.version,
    }


def _line(line: PlacedLine) -> Document:
    return {
        "line_no": line.line_no,
        "product_id": str(line.product_id),
        "sku": line.sku,
        "name": line.name,
        "category": line.category,
        "qty": line.qty,
        "price": money(line.price),
        "amount": money(line.amount),
        "returned": line.returned,
    }
