"""An order, from its placing to its delivery, cancellation or return."""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, assert_never

from ..commands import (
    CURRENCY,
    Address,
    CancelOrder,
    ChargePayment,
    DeliverOrder,
    EraseCustomer,
    OrderCommand,
    OrderLine,
    PlaceOrder,
    ShipOrder,
)
from ..events import (
    AnyOrderEvent,
    CancelledLine,
    CreditedLine,
    CustomerErased,
    ItemsReturned,
    NamedLine,
    OrderCancelled,
    OrderDelivered,
    OrderEvent,
    OrderPlaced,
    OrderShipped,
    PaymentCharged,
    PlacedLine,
    ReturnedLine,
    Status,
)
from ..exceptions import (
    AddressInvalid,
    AlreadyDelivered,
    AlreadyPaid,
    AlreadyShipped,
    AmountNotOpenAmount,
    DuplicateLineNumber,
    ForeignCurrency,
    NoLines,
    NotEnoughStock,
    NothingToShip,
    NotPaid,
    NotShipped,
    PriceNotPositive,
    QuantityBelowOne,
    ReferenceUsed,
    RetiredProduct,
    TotalTooLarge,
    UnknownProduct,
)
from ..exceptions import OrderCancelled as OrderIsCancelled
from .product import Product, StockMove

ZERO = Decimal(0)
TOO_LARGE = Decimal(10) ** 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """`paid` is what came in less what was refunded; `returned` is what credit notes gave back for its lines."""

    order_id: int
    user_id: int | None
    customer_number: str | None
    country: str
    currency: str
    source: str
    reference: str | None
    on_credit: bool
    status: Status
    total: Decimal
    paid: Decimal
    returned: Decimal
    lines: tuple[PlacedLine, ...]
    version: int

    @property
    def open_amount(self) -> Decimal:
        """What is still to be paid; negative when the shop owes the customer."""
        return ZERO if self.status is Status.CANCELLED else self.total - self.returned - self.paid

    @property
    def held(self) -> Decimal:
        """What the order holds of the customer's credit."""
        return max(ZERO, self.open_amount) if self.on_credit else ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """Who buys; `on_credit` says that there is a credit account."""

    user_id: int | None
    customer_number: str | None
    on_credit: bool


def place_order(
    command: PlaceOrder, order_id: int, buyer: Buyer, catalogue: Mapping[str, Product]
) -> OrderPlaced:
    """Decide on a new order; `catalogue` holds every product of the command that exists, by SKU."""
    check_currency(command.currency)
    _check_wishes(command.lines)
    _check_address(command.address, required=command.address_required)
    lines = tuple(_sold(line_no, line, catalogue) for line_no, line in _numbered(command.lines))
    _check_stock(lines, catalogue)
    total = total_of(lines)
    return OrderPlaced(
        order_id=order_id,
        user_id=buyer.user_id,
        customer_number=buyer.customer_number,
        country=command.address.country,
        currency=command.currency,
        status=Status.CONFIRMED,
        paid=ZERO,
        returned=ZERO,
        open_amount=total,
        source=command.source,
        reference=command.reference,
        on_credit=buyer.on_credit,
        total=total,
        units=sum(line.qty for line in lines),
        lines=lines,
    )


def decide(order: Order, command: OrderCommand, used_references: Container[str] = ()) -> AnyOrderEvent:
    """Decide on the next step of an order; `used_references` are those of payments that were booked before."""
    match command:
        case ChargePayment():
            return _charge(order, command, used_references)
        case ShipOrder():
            return _ship(order, command)
        case DeliverOrder():
            return _deliver(order)
        case CancelOrder():
            return _cancel(order, command)
        case EraseCustomer():
            return _erase_customer(order)
        case _:
            assert_never(command)


def return_items(
    order: Order, credit_note_id: int, returned: Mapping[int, tuple[int, Decimal]]
) -> ItemsReturned:
    """Tell what came back; `returned` maps line numbers to (qty, amount), already checked by the credit note."""
    lines = tuple(
        _returned_line(line, *returned[line.line_no]) for line in order.lines if line.line_no in returned
    )
    amount = sum((line.amount for line in lines), ZERO)
    after = replace(order, returned=order.returned + amount)
    return ItemsReturned(**_standing(after), credit_note_id=credit_note_id, amount=amount, lines=lines)


def evolve(order: Order | None, event: AnyOrderEvent) -> Order:
    """Return the order after one of its events."""
    if isinstance(event, OrderPlaced):
        return _placed(event)
    assert order is not None
    after = replace(
        order, status=event.status, paid=event.paid, returned=event.returned, version=order.version + 1
    )
    match event:
        case PaymentCharged() | OrderShipped() | OrderDelivered() | OrderCancelled() | CustomerErased():
            return after
        case ItemsReturned():
            return replace(after, lines=_with_returned(order.lines, event.lines))
        case _:
            assert_never(event)


def stock_moves(order: Order | None, event: AnyOrderEvent) -> Iterator[StockMove]:
    """Yield what an event does to the stock, given the order before it.

    A return of an order that has not left frees its reservation; afterwards it adds to what lies in the warehouse.
    """
    match event:
        case OrderPlaced():
            yield from (StockMove(line.product_id, 0, line.qty) for line in event.lines)
        case OrderCancelled():
            yield from (StockMove(line.product_id, 0, -line.qty) for line in event.lines)
        case ItemsReturned():
            shipped = event.status in (Status.SHIPPED, Status.DELIVERED)
            for line in event.lines:
                yield (
                    StockMove(line.product_id, line.qty, 0)
                    if shipped
                    else StockMove(line.product_id, 0, -line.qty)
                )
        case OrderShipped():
            assert order is not None
            yield from (StockMove(line.product_id, -_left(line), -_left(line)) for line in order.lines)
        case PaymentCharged() | OrderDelivered() | CustomerErased():
            return
        case _:
            assert_never(event)


def total_of(lines: Iterable[PlacedLine] | Iterable[CreditedLine]) -> Decimal:
    """Return what the lines come to, exactly; refuse what NUMERIC(14,4) cannot hold."""
    total = sum((line.amount for line in lines), ZERO)
    if total >= TOO_LARGE:
        raise TotalTooLarge(total=total)
    return total


def check_currency(currency: str) -> None:
    """Refuse any currency but the shop's."""
    if currency != CURRENCY:
        raise ForeignCurrency(currency=currency, accepted=CURRENCY)


def _check_wishes(lines: Iterable[OrderLine]) -> None:
    if not lines:
        raise NoLines
    for line in lines:
        if line.qty < 1:
            raise QuantityBelowOne(sku=line.sku, qty=line.qty)
        if line.price is not None and line.price <= 0:
            raise PriceNotPositive(sku=line.sku, price=line.price)


def _check_address(address: Address, *, required: bool) -> None:
    needed = ("country", "name", "street", "postcode", "city") if required else ("country",)
    missing = [name for name in needed if not getattr(address, name).strip()]
    if missing:
        raise AddressInvalid(missing=missing)


def _numbered(lines: tuple[OrderLine, ...]) -> list[tuple[int, OrderLine]]:
    numbered = [(line.line_no or index, line) for index, line in enumerate(lines, start=1)]
    if len({line_no for line_no, _ in numbered}) < len(numbered):
        raise DuplicateLineNumber
    return numbered


def _sold(line_no: int, line: OrderLine, catalogue: Mapping[str, Product]) -> PlacedLine:
    product = catalogue.get(line.sku)
    if product is None:
        raise UnknownProduct(sku=line.sku)
    if product.retired:
        raise RetiredProduct(sku=line.sku)
    price = product.price if line.price is None else line.price
    return PlacedLine(
        line_no=line_no,
        product_id=product.product_id,
        sku=product.sku,
        name=product.name,
        category=product.category,
        qty=line.qty,
        price=price,
        amount=line.qty * price,
    )


def _check_stock(lines: tuple[PlacedLine, ...], catalogue: Mapping[str, Product]) -> None:
    wanted: dict[str, int] = {}
    for line in lines:
        wanted[line.sku] = wanted.get(line.sku, 0) + line.qty
    for sku, qty in wanted.items():
        if qty > catalogue[sku].available:
            raise NotEnoughStock(sku=sku, wanted=qty, available=catalogue[sku].available)


def _charge(order: Order, command: ChargePayment, used_references: Container[str]) -> PaymentCharged:
    if command.reference in used_references:
        raise ReferenceUsed(reference=command.reference)
    if order.status is Status.CANCELLED:
        raise OrderIsCancelled(order_id=order.order_id)
    if order.open_amount <= 0:
        raise AlreadyPaid(order_id=order.order_id)
    if command.amount != order.open_amount:
        raise AmountNotOpenAmount(amount=command.amount, open_amount=order.open_amount)
    status = Status.PAID if order.status is Status.CONFIRMED else order.status
    after = replace(order, status=status, paid=order.paid + command.amount)
    return PaymentCharged(
        **_standing(after), amount=command.amount, reference=command.reference, method=command.method
    )


def _ship(order: Order, command: ShipOrder) -> OrderShipped:
    if order.status is Status.CANCELLED:
        raise OrderIsCancelled(order_id=order.order_id)
    if order.status in (Status.SHIPPED, Status.DELIVERED):
        raise AlreadyShipped(order_id=order.order_id)
    if not any(_left(line) for line in order.lines):
        raise NothingToShip(order_id=order.order_id)
    if order.open_amount > 0 and not order.on_credit:
        raise NotPaid(order_id=order.order_id, open_amount=order.open_amount)
    after = replace(order, status=Status.SHIPPED)
    return OrderShipped(**_standing(after), carrier=command.carrier, tracking_number=command.tracking_number)


def _deliver(order: Order) -> OrderDelivered:
    if order.status is Status.CANCELLED:
        raise OrderIsCancelled(order_id=order.order_id)
    if order.status is Status.DELIVERED:
        raise AlreadyDelivered(order_id=order.order_id)
    if order.status is not Status.SHIPPED:
        raise NotShipped(order_id=order.order_id)
    return OrderDelivered(**_standing(replace(order, status=Status.DELIVERED)))


def _cancel(order: Order, command: CancelOrder) -> OrderCancelled:
    if order.status is Status.CANCELLED:
        raise OrderIsCancelled(order_id=order.order_id)
    if order.status is Status.DELIVERED:
        raise AlreadyDelivered(order_id=order.order_id)
    if order.status is Status.SHIPPED:
        raise AlreadyShipped(order_id=order.order_id)
    lines = tuple(_cancelled_line(line) for line in order.lines if _left(line))
    return OrderCancelled(
        **_standing(replace(order, status=Status.CANCELLED, paid=ZERO)),
        reason=command.reason,
        amount=sum((line.amount for line in lines), ZERO),
        refund=order.paid,
        lines=lines,
    )


def _erase_customer(order: Order) -> CustomerErased:
    lines = tuple(NamedLine(line_no=line.line_no, sku=line.sku, name=line.name) for line in order.lines)
    return CustomerErased(**_standing(order), lines=lines)


def _left(line: PlacedLine) -> int:
    return line.qty - line.returned


def _cancelled_line(line: PlacedLine) -> CancelledLine:
    return CancelledLine(
        line_no=line.line_no,
        product_id=line.product_id,
        sku=line.sku,
        name=line.name,
        category=line.category,
        qty=_left(line),
        price=line.price,
        amount=_left(line) * line.price,
    )


def _returned_line(line: PlacedLine, qty: int, amount: Decimal) -> ReturnedLine:
    return ReturnedLine(
        line_no=line.line_no,
        product_id=line.product_id,
        sku=line.sku,
        qty=qty,
        amount=amount,
        returned=line.returned + qty,
    )


def _with_returned(
    lines: tuple[PlacedLine, ...], returned: tuple[ReturnedLine, ...]
) -> tuple[PlacedLine, ...]:
    by_number = {line.line_no: line.returned for line in returned}
    return tuple(replace(line, returned=by_number.get(line.line_no, line.returned)) for line in lines)


def _placed(event: OrderPlaced) -> Order:
    return Order(
        order_id=event.order_id,
        user_id=event.user_id,
        customer_number=event.customer_number,
        country=event.country,
        currency=event.currency,
        source=event.source,
        reference=event.reference,
        on_credit=event.on_credit,
        status=event.status,
        total=event.total,
        paid=event.paid,
        returned=event.returned,
        lines=event.lines,
        version=1,
    )


def _standing(order: Order) -> dict[str, Any]:
    """Return the fields that every order event carries."""
    return {name: getattr(order, name) for name in OrderEvent.__dataclass_fields__}
