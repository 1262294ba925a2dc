"""A credit note: money given back, and the order lines whose goods came back with it."""

from collections.abc import Mapping
from decimal import Decimal

from ..commands import CreditNoteLine, RecordCreditNote
from ..events import CreditedLine, CreditNoteRecorded, PlacedLine, Status
from ..exceptions import (
    DuplicateLineNumber,
    NoLines,
    OrderOfAnotherCustomer,
    PriceNegative,
    QuantityBelowOne,
    ReturnExceedsSold,
    UnknownOrderLine,
)
from .order import Order, check_currency, total_of
from .product import Product

UNLISTED = "unlisted"

Returned = dict[int, tuple[int, Decimal]]


def record_credit_note(
    command: RecordCreditNote,
    credit_note_id: int,
    customer_number: str | None,
    catalogue: Mapping[str, Product],
    orders: Mapping[CreditNoteLine, Order],
) -> CreditNoteRecorded:
    """Decide on a credit note; `orders` holds the order of every line that names one and exists."""
    check_currency(command.currency)
    _check_lines(command.lines)
    numbered = [(line.line_no or index, line) for index, line in enumerate(command.lines, start=1)]
    if len({line_no for line_no, _ in numbered}) < len(numbered):
        raise DuplicateLineNumber
    _check_returns(command, orders)
    lines = tuple(_credited(line_no, line, catalogue, orders) for line_no, line in numbered)
    return CreditNoteRecorded(
        credit_note_id=credit_note_id,
        user_id=command.user_id,
        customer_number=customer_number,
        country=command.country,
        currency=command.currency,
        source=command.source,
        reference=command.reference,
        reason=command.reason,
        total=total_of(lines),
        units=sum(line.qty for line in lines),
        lines=lines,
    )


def returned_by_order(event: CreditNoteRecorded) -> dict[int, Returned]:
    """Return (qty, amount) per order and line for the lines that name one."""
    orders: dict[int, Returned] = {}
    for line in event.lines:
        if line.order_id is not None and line.order_line_no is not None:
            returned = orders.setdefault(line.order_id, {})
            qty, amount = returned.get(line.order_line_no, (0, Decimal(0)))
            returned[line.order_line_no] = (qty + line.qty, amount + line.amount)
    return dict(sorted(orders.items()))


def names_order(line: CreditNoteLine) -> bool:
    """Say whether the goods of an order line came back with this line."""
    return line.order_id is not None or line.order_reference is not None


def _check_lines(lines: tuple[CreditNoteLine, ...]) -> None:
    if not lines:
        raise NoLines
    for line in lines:
        if line.qty < 1:
            raise QuantityBelowOne(sku=line.sku, qty=line.qty)
        if line.price < 0:
            raise PriceNegative(sku=line.sku, price=line.price)


def _check_returns(command: RecordCreditNote, orders: Mapping[CreditNoteLine, Order]) -> None:
    wanted: dict[tuple[int, int], int] = {}
    for line in filter(names_order, command.lines):
        order, sold = _sold_line(line, orders)
        if order.user_id != command.user_id:
            raise OrderOfAnotherCustomer(order_id=order.order_id)
        key = (order.order_id, sold.line_no)
        wanted[key] = wanted.get(key, 0) + line.qty
        left = 0 if order.status is Status.CANCELLED else sold.qty - sold.returned
        if wanted[key] > left:
            raise ReturnExceedsSold(order_id=order.order_id, line_no=sold.line_no, qty=wanted[key], left=left)


def _sold_line(line: CreditNoteLine, orders: Mapping[CreditNoteLine, Order]) -> tuple[Order, PlacedLine]:
    order = orders.get(line)
    for sold in order.lines if order else ():
        if order and sold.line_no == line.order_line_no and sold.sku == line.sku:
            return order, sold
    raise UnknownOrderLine(
        order=str(line.order_id or line.order_reference), line_no=line.order_line_no, sku=line.sku
    )


def _credited(
    line_no: int,
    line: CreditNoteLine,
    catalogue: Mapping[str, Product],
    orders: Mapping[CreditNoteLine, Order],
) -> CreditedLine:
    product = catalogue.get(line.sku)
    order = orders.get(line)
    return CreditedLine(
        line_no=line_no,
        product_id=product.product_id if product else None,
        sku=line.sku,
        name=product.name if product else line.sku,
        category=product.category if product else UNLISTED,
        qty=line.qty,
        price=line.price,
        amount=line.qty * line.price,
        order_id=order.order_id if order else None,
        order_line_no=line.order_line_no if order else None,
    )
