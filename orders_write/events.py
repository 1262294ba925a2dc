"""What happened: facts in the past tense, fat enough that a fold needs nothing but the log.

Payloads are JSON: money is a string with four decimals, every id is a string, quantities are numbers. Events carry
the resulting values of their aggregate (status, paid, returned …) beside what changed. A person's name and address
never enter a payload: they travel as `personal` and stand in a table of their own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Any, cast, get_args, get_origin, get_type_hints

import orjson


class Status(StrEnum):
    """Where an order stands; what was returned is a quantity per line, not a status."""

    CONFIRMED = "confirmed"
    PAID = "paid"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedLine:
    """A line as it was sold; `returned` is 0 and stands here because documents start from this shape."""

    line_no: int
    product_id: int
    sku: str
    name: str
    category: str
    qty: int
    price: Decimal
    amount: Decimal
    returned: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelledLine:
    """What a cancellation undoes of one line: the quantity that was not returned before."""

    line_no: int
    product_id: int
    sku: str
    name: str
    category: str
    qty: int
    price: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedLine:
    """What came back of one line now (`qty`, worth `amount`) and in all (`returned`)."""

    line_no: int
    product_id: int
    sku: str
    qty: int
    amount: Decimal
    returned: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedLine:
    """What an order's line is called."""

    line_no: int
    sku: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditedLine:
    """A line of a credit note; names the order line whose goods came back, or none.

    A SKU that the catalogue does not know has no product, its own SKU as name and the category `unlisted`.
    """

    line_no: int
    product_id: int | None
    sku: str
    name: str
    category: str
    qty: int
    price: Decimal
    amount: Decimal
    order_id: int | None
    order_line_no: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEvent:
    """What every event of an order says: whose it is, where, and how it stands afterwards.

    `open_amount` = total − returned − paid; negative when the shop owes the customer.
    """

    order_id: int
    user_id: int | None
    customer_number: str | None
    country: str
    currency: str
    status: Status
    paid: Decimal
    returned: Decimal
    open_amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlaced(OrderEvent):
    """An order was accepted: prices and names as they were at that moment."""

    source: str
    reference: str | None
    on_credit: bool
    total: Decimal
    units: int
    lines: tuple[PlacedLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCharged(OrderEvent):
    """The open amount was paid."""

    amount: Decimal
    reference: str
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderShipped(OrderEvent):
    """What was not returned left the warehouse."""

    carrier: str
    tracking_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDelivered(OrderEvent):
    """The goods arrived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelled(OrderEvent):
    """`amount` is the value of the undone lines, `refund` what had been paid (`paid` is 0 afterwards)."""

    reason: str
    amount: Decimal
    refund: Decimal
    lines: tuple[CancelledLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsReturned(OrderEvent):
    """Changes its order only: the money and units of a return are counted from CreditNoteRecorded."""

    credit_note_id: int
    amount: Decimal
    lines: tuple[ReturnedLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerErased(OrderEvent):
    """Who got the order, and where, is to be forgotten; `lines` are by what it can still be found."""

    lines: tuple[NamedLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNoteRecorded:
    """Money was given back; the lines that name an order tell what came back with it."""

    credit_note_id: int
    user_id: int | None
    customer_number: str | None
    country: str
    currency: str
    source: str
    reference: str | None
    reason: str
    total: Decimal
    units: int
    lines: tuple[CreditedLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductEvent:
    """How the product stands afterwards; `on_hand` is what lies in the warehouse, reserved pieces included."""

    product_id: int
    sku: str
    name: str
    category: str
    price: Decimal
    retired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductListed(ProductEvent):
    """A product entered the catalogue."""

    on_hand: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRepriced(ProductEvent):
    """The price of a product changed for orders to come."""

    previous_price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRestocked(ProductEvent):
    """`qty` pieces were added to the stock."""

    qty: int
    on_hand: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRetired(ProductEvent):
    """A product is no longer sold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditLimitSet:
    """A customer may owe up to `limit`."""

    user_id: int
    limit: Decimal
    previous_limit: Decimal
    used: Decimal


AnyOrderEvent = (
    OrderPlaced
    | PaymentCharged
    | OrderShipped
    | OrderDelivered
    | OrderCancelled
    | ItemsReturned
    | CustomerErased
)
AnyProductEvent = ProductListed | ProductRepriced | ProductRestocked | ProductRetired
Event = AnyOrderEvent | CreditNoteRecorded | AnyProductEvent | CreditLimitSet

Json = dict[str, Any] | list[Any] | str | int | bool | None


def payload_of(event: Event) -> str:
    """Return the event as the JSON text of its payload."""
    return orjson.dumps(_to_json(event)).decode()


def event_from(event_type: str, payload: Mapping[str, Any]) -> Event:
    """Return the event that a payload of today's schema version tells of; KeyError for an unknown type."""
    return cast(Event, _from_json(EVENT_TYPES[event_type], payload))


def money(amount: Decimal) -> str:
    """Return an amount as it stands in JSON: four decimals, as NUMERIC(14,4) has them."""
    return str(amount.quantize(FOUR_DECIMALS))


FOUR_DECIMALS = Decimal("0.0001")
EVENT_TYPES: dict[str, type] = {event.__name__: event for event in get_args(Event)}
SCHEMA_VERSIONS: dict[str, int] = dict.fromkeys(EVENT_TYPES, 1)


def _to_json(value: Any) -> Json:
    return {name: encode(getattr(value, name)) for name, encode in _encoders(value.__class__)}


def _from_json(kind: type, value: Mapping[str, Any]) -> Any:
    return kind(**{name: decode(value[name]) for name, decode in _decoders(kind)})


@cache
def _encoders(kind: type) -> tuple[tuple[str, Callable[[Any], Json]], ...]:
    return tuple((name, _encoder(name, annotation)) for name, annotation in get_type_hints(kind).items())


@cache
def _decoders(kind: type) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    return tuple((name, _decoder(name, annotation)) for name, annotation in get_type_hints(kind).items())


def _encoder(name: str, annotation: Any) -> Callable[[Any], Json]:
    if annotation is Decimal:
        return money
    if get_origin(annotation) is tuple:
        return lambda lines: [_to_json(line) for line in lines]
    if name.endswith("_id"):
        return lambda key: None if key is None else str(key)
    return _as_is


def _decoder(name: str, annotation: Any) -> Callable[[Any], Any]:
    if annotation in (Decimal, Status):
        return cast(Callable[[Any], Any], annotation)
    if get_origin(annotation) is tuple:
        kind = get_args(annotation)[0]
        return lambda lines: tuple(_from_json(kind, line) for line in lines)
    if name.endswith("_id"):
        return lambda key: None if key is None else int(key)
    return _as_is


def _as_is(value: Any) -> Any:
    return value
