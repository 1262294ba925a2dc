"""Commands of the naive twin: one transaction, correct, with the ORM's usual statements."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction

from .models import CreditNote, Event, Item, Order, Product, RequestKey


class Line(NamedTuple):
    """What is sold; or what is credited, with the order line that it names."""

    line_no: int
    sku: str
    qty: int
    price: Decimal
    order: str | None = None
    order_line_no: int | None = None


@transaction.atomic
def place_order(
    key: str, user_id: int | None, reference: str, country: str, lines: Sequence[Line], now: datetime
) -> Order:
    """Check the stock under lock, save order and lines, take the stock product by product, note the event."""
    RequestKey.objects.create(key=key)
    skus = {line.sku for line in lines}
    locked = Product.objects.select_for_update().filter(sku__in=skus).order_by("id")
    products = {product.sku: product for product in locked}
    for line in lines:
        product = products[line.sku]
        if line.qty < 1 or product.stock < line.qty:
            raise ValueError("not enough stock")
        product.stock -= line.qty
    total = sum(line.qty * line.price for line in lines)
    order = Order.objects.create(
        user_id=user_id, reference=reference, country=country, total=total, created_at=now
    )
    Item.objects.bulk_create(
        Item(order=order, line_no=line.line_no, product=products[line.sku], qty=line.qty, price=line.price)
        for line in lines
    )
    for product in products.values():
        product.save(update_fields=["stock"])
    payload = {
        "order_id": order.pk,
        "user_id": user_id,
        "country": country,
        "total": str(total),
        "lines": [_said(line, products[line.sku]) for line in lines],
    }
    Event.objects.create(kind="OrderPlaced", payload=payload, created_at=now)
    return order


@transaction.atomic
def record_credit_note(
    key: str, reference: str, country: str, lines: Sequence[Line], now: datetime
) -> CreditNote:
    """Check what is left to return under lock, note it line by line, save the note and the event."""
    RequestKey.objects.create(key=key)
    products = {
        product.sku: product for product in Product.objects.filter(sku__in={line.sku for line in lines})
    }
    for line in lines:
        if line.order is not None:
            items = Item.objects.select_for_update(of=("self",))
            item = items.get(order__reference=line.order, line_no=line.order_line_no)
            if item.qty - item.returned_qty < line.qty:
                raise ValueError("more returned than sold")
            item.returned_qty += line.qty
            item.save(update_fields=["returned_qty"])
    total = sum(line.qty * line.price for line in lines)
    note = CreditNote.objects.create(reference=reference, total=total, created_at=now)
    said = [_said(line, products.get(line.sku)) for line in lines]
    payload = {"credit_note_id": note.pk, "country": country, "lines": said}
    Event.objects.create(kind="CreditNoteRecorded", payload=payload, created_at=now)
    return note


def _said(line: Line, product: Product | None) -> dict[str, object]:
    return {
        "sku": line.sku,
        "name": product.name if product else line.sku,
        "category": product.category if product else "unlisted",
        "qty": line.qty,
        "amount": str(line.qty * line.price),
    }
