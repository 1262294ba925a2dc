"""Turn what came back of one order into the credit note that says so.

What was sold, at which price and to whom never changes, so it is read without a lock; how much of it may still come
back is decided later, under the order's lock.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from .commands import CreditNoteLine, RecordCreditNote
from .exceptions import NotFound
from .models import Order, OrderItem


def credit_note_for(
    order_id: int, returned: Iterable[Mapping[str, Any]], reason: str, reference: str | None
) -> RecordCreditNote:
    """Build the command for `returned` (line_no, qty and, if it differs from the sold one, price); raises NotFound."""
    order = Order.objects.filter(pk=order_id).values("user_id", "ship_country", "currency", "source").first()
    if order is None:
        raise NotFound(order_id=order_id)
    items = OrderItem.objects.filter(order_id=order_id).values_list("line_no", "product__sku", "price")
    sold = {line_no: (sku, price) for line_no, sku, price in items}
    return RecordCreditNote(
        user_id=order["user_id"],
        country=order["ship_country"],
        currency=order["currency"],
        source=order["source"],
        reference=reference,
        reason=reason,
        lines=tuple(_line(order_id, line, *sold.get(line["line_no"], ("", Decimal(0)))) for line in returned),
    )


def _line(order_id: int, line: Mapping[str, Any], sku: str, price: Decimal) -> CreditNoteLine:
    """Name the order's line; one that does not exist has no SKU, and the rules refuse it."""
    return CreditNoteLine(
        sku=sku,
        qty=line["qty"],
        price=line.get("price", price),
        order_id=order_id,
        order_line_no=line["line_no"],
    )
