"""Turn a line of a command stream into a command: which fields each type has, and what they are called."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import orjson

from ..commands import (
    CURRENCY,
    Address,
    CancelOrder,
    ChargePayment,
    Command,
    CreditNoteLine,
    DeliverOrder,
    ListProduct,
    OrderLine,
    PlaceOrder,
    RecordCreditNote,
    RepriceProduct,
    RestockProduct,
    RetireProduct,
    SetCreditLimit,
    ShipOrder,
)
from .fields import Fields, WrongShape

SKU, NAME, CATEGORY, REFERENCE, CUSTOMER, COUNTRY, REASON = 64, 200, 64, 64, 32, 64, 200  # widths of columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What the file's names stand for: customers by number, orders by reference, and the file's source."""

    users: Mapping[str, int]
    orders: Mapping[str, int]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One line of a stream, `text`, and what all types have in common."""

    line: int
    seq: int
    type: str
    occurred_at: datetime
    expect_reject: str | None
    fields: Fields
    text: bytes

    @property
    def customer(self) -> str | None:
        """The number of the customer whom it concerns."""
        return self.fields.values.get("customer_id")

    @property
    def placed(self) -> str | None:
        """The reference of the order that it places."""
        return self.fields.values["order_id"] if self.type == "PlaceOrder" else None

    @property
    def order(self) -> str | None:
        """The reference of the order that it changes."""
        return None if self.type == "PlaceOrder" else self.fields.values.get("order_id")

    @property
    def orders(self) -> set[str]:
        """The references of all orders that should exist before it."""
        if self.type == "RecordCreditNote":
            named = (line.get("orig_order_id") for line in self.fields.values["lines"])
            return {reference for reference in named if reference is not None}
        return set() if self.order is None else {self.order}

    def command(self, names: Names) -> Command:
        """Return the command; raises WrongShape, and KeyError for a name that `names` lacks."""
        return SHAPES[self.type].read(self.fields, names)


def record_from(number: int, text: bytes) -> Record:
    """Read what all types have in common; the rest is read by `Record.command`. Raises WrongShape."""
    values = _object(text)
    kind = values.get("type")
    name = TYPES.get(kind) if type(kind) is str else None
    if name is None:
        raise WrongShape("type is missing" if kind is None else f"unknown type {kind}")
    fields = Fields(values, SHAPES[name].known)
    return Record(
        line=number,
        seq=fields.whole("seq"),
        type=name,
        occurred_at=fields.time("occurred_at"),
        expect_reject=fields.maybe_text("expect_reject", 64),
        fields=fields,
        text=text,
    )


def _object(text: bytes) -> dict[str, Any]:
    try:
        values = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise WrongShape(f"this is not JSON ({error.msg}, column {error.colno})") from error
    if type(values) is not dict:
        raise WrongShape("a JSON object is expected")
    return values


@dataclass(frozen=True, slots=True)
class Shape:
    """How a command of one type is read, and which fields its record may have."""

    read: Callable[[Fields, Names], Command]
    known: frozenset[str]


Line = TypeVar("Line", OrderLine, CreditNoteLine)
LARGEST_AMOUNT = 10**10  # a NUMERIC(14,4) is less

ALWAYS = "seq type occurred_at expect_reject"
ORDER_LINE = frozenset(("line_no", "sku", "qty", "unit_price", "description"))
CREDIT_LINE = ORDER_LINE | {"orig_order_id", "orig_line_no"}


def _user(fields: Fields, names: Names) -> int | None:
    number = fields.maybe_text("customer_id", CUSTOMER)
    return None if number is None else names.users[number]


def _order(fields: Fields, names: Names) -> int:
    return names.orders[fields.text("order_id", REFERENCE)]


def _place_order(fields: Fields, names: Names) -> PlaceOrder:
    return PlaceOrder(
        user_id=_user(fields, names),
        lines=_that_fit(fields.lines(ORDER_LINE, _order_line)),
        address=Address(country=fields.maybe_text("country", COUNTRY) or ""),
        currency=fields.maybe_text("currency", 3) or CURRENCY,
        source=names.source,
        reference=fields.text("order_id", REFERENCE),
        address_required=False,
    )


def _order_line(fields: Fields) -> OrderLine:
    return OrderLine(
        sku=fields.text("sku", SKU),
        qty=fields.whole("qty"),
        price=fields.maybe_money("unit_price"),
        line_no=fields.maybe_whole("line_no"),
    )


def _record_credit_note(fields: Fields, names: Names) -> RecordCreditNote:
    return RecordCreditNote(
        user_id=_user(fields, names),
        lines=_that_fit(fields.lines(CREDIT_LINE, _credit_line)),
        country=fields.maybe_text("country", COUNTRY) or "",
        currency=fields.maybe_text("currency", 3) or CURRENCY,
        source=names.source,
        reference=fields.text("credit_note_id", REFERENCE),
        reason=fields.maybe_text("reason", REASON) or "",
    )


def _credit_line(fields: Fields) -> CreditNoteLine:
    return CreditNoteLine(
        sku=fields.text("sku", SKU),
        qty=fields.whole("qty"),
        price=fields.money("unit_price"),
        line_no=fields.maybe_whole("line_no"),
        order_reference=fields.maybe_text("orig_order_id", REFERENCE),
        order_line_no=fields.maybe_whole("orig_line_no"),
    )


def _that_fit(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    if sum(abs(line.qty * line.price) for line in lines if line.price is not None) >= LARGEST_AMOUNT:
        raise WrongShape(f"the lines amount to {LARGEST_AMOUNT} or more")
    return lines


def _charge_payment(fields: Fields, names: Names) -> ChargePayment:
    return ChargePayment(
        order_id=_order(fields, names),
        amount=fields.money("amount"),
        reference=fields.text("reference", 128),
        method=fields.maybe_text("method", 32) or "",
    )


def _ship_order(fields: Fields, names: Names) -> ShipOrder:
    return ShipOrder(
        order_id=_order(fields, names),
        carrier=fields.maybe_text("carrier", 64) or "",
        tracking_number=fields.maybe_text("tracking_number", 128) or "",
    )


def _deliver_order(fields: Fields, names: Names) -> DeliverOrder:
    return DeliverOrder(order_id=_order(fields, names))


def _cancel_order(fields: Fields, names: Names) -> CancelOrder:
    return CancelOrder(order_id=_order(fields, names), reason=fields.maybe_text("reason", REASON) or "")


def _list_product(fields: Fields, _: Names) -> ListProduct:
    return ListProduct(
        sku=fields.text("sku", SKU),
        name=fields.text("name", NAME),
        category=fields.text("category", CATEGORY),
        price=fields.money("price"),
        on_hand=fields.maybe_whole("on_hand") or 0,
    )


def _reprice_product(fields: Fields, _: Names) -> RepriceProduct:
    return RepriceProduct(sku=fields.text("sku", SKU), price=fields.money("price"))


def _restock_product(fields: Fields, _: Names) -> RestockProduct:
    return RestockProduct(sku=fields.text("sku", SKU), qty=fields.whole("qty"))


def _retire_product(fields: Fields, _: Names) -> RetireProduct:
    return RetireProduct(sku=fields.text("sku", SKU))


def _set_credit_limit(fields: Fields, names: Names) -> SetCreditLimit:
    number = fields.text("customer_id", CUSTOMER)
    return SetCreditLimit(user_id=names.users[number], limit=fields.money("limit"))


def _shape(read: Callable[[Fields, Names], Command], known: str) -> Shape:
    return Shape(read, frozenset(f"{ALWAYS} {known}".split()))


SHAPES = {
    "PlaceOrder": _shape(_place_order, "order_id customer_id country currency lines"),
    "RecordCreditNote": _shape(
        _record_credit_note, "credit_note_id customer_id country currency reason cancels_whole_order lines"
    ),
    "ChargePayment": _shape(_charge_payment, "order_id amount reference method"),
    "ShipOrder": _shape(_ship_order, "order_id carrier tracking_number"),
    "DeliverOrder": _shape(_deliver_order, "order_id"),
    "CancelOrder": _shape(_cancel_order, "order_id reason"),
    "ListProduct": _shape(_list_product, "sku name category price on_hand"),
    "RepriceProduct": _shape(_reprice_product, "sku price"),
    "RestockProduct": _shape(_restock_product, "sku qty"),
    "RetireProduct": _shape(_retire_product, "sku"),
    "SetCreditLimit": _shape(_set_credit_limit, "customer_id limit"),
}
PRODUCT_TYPES = {"ListProduct", "RepriceProduct", "RestockProduct", "RetireProduct"}


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


TYPES = {spelling: name for name in SHAPES for spelling in (name, _snake(name))}
