"""Random but lawful histories of a shop, as events: made by the pure domain, so that no fold sees what cannot be."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import uuid4

from django.db import transaction
from hypothesis import strategies as st

from orders_write.commands import (
    Address,
    CancelOrder,
    ChargePayment,
    CreditNoteLine,
    DeliverOrder,
    EraseCustomer,
    OrderLine,
    PlaceOrder,
    RecordCreditNote,
    ShipOrder,
)
from orders_write.domain import order as orders
from orders_write.domain.credit_note import record_credit_note, returned_by_order
from orders_write.domain.order import Buyer, Order
from orders_write.domain.product import Product
from orders_write.events import (
    CreditLimitSet,
    Event,
    ProductListed,
    ProductRepriced,
    ProductRestocked,
    ProductRetired,
    payload_of,
)
from orders_write.exceptions import Refusal
from outbox.append import append
from outbox.connection import django_connection
from outbox.history import head
from outbox.messages import Message, Metadata, PersonalData
from outbox.relay import Relay

FIRST_DAY = datetime(2026, 3, 1, 22, tzinfo=UTC)
COUNTRIES = ("France", "Österreich", "United Kingdom")
SKUS = ("85123A", "85123a", "POST")
UNLISTED = "AMAZONFEE"
CATEGORIES = ("merchandise", "merchandise", "other", "other")
USERS = (None, 1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """An event with its envelope."""

    aggregate_type: str
    aggregate_id: int
    version: int
    event: Event
    at: datetime
    personal: dict[str, str] | None = None
    actor: str = "user:1"

    def message(self) -> Message:
        """Put it into its envelope."""
        return Message(
            event_id=uuid4(),
            event_type=type(self.event).__name__,
            schema_version=1,
            aggregate_type=self.aggregate_type,
            aggregate_id=self.aggregate_id,
            aggregate_version=self.version,
            payload=payload_of(self.event),
            metadata=Metadata(actor=self.actor),
            occurred_at=self.at,
            personal=PersonalData(subject_id=1, data=self.personal) if self.personal else None,
        )


@dataclass(slots=True)
class Shop:
    """The state of the domain while a history is made."""

    happened: list[Happened] = field(default_factory=list)
    orders: dict[int, Order] = field(default_factory=dict)
    products: dict[str, Product] = field(default_factory=dict)
    versions: dict[tuple[str, int], int] = field(default_factory=dict)
    credit_notes: int = 0
    now: datetime = FIRST_DAY

    def take(self, steps: Iterable[tuple[str, int, int, int]]) -> list[Happened]:
        """Go through the steps; what the domain refuses does not happen."""
        for index, sku in enumerate(SKUS):
            self._list(index, sku)
        for kind, a, b, c in steps:
            self.now += timedelta(minutes=37 * (a % 5))
            try:
                getattr(self, f"_{kind}")(a, b, c)
            except Refusal:
                continue
        return self.happened

    def _record(self, aggregate_type: str, aggregate_id: int, event: Event, personal: Any = None) -> None:
        key = aggregate_type, aggregate_id
        self.versions[key] = self.versions.get(key, 0) + 1
        self.happened.append(
            Happened(
                aggregate_type=aggregate_type,
                aggregate_id=aggregate_id,
                version=self.versions[key],
                event=event,
                at=self.now,
                personal=personal,
            )
        )

    def _list(self, index: int, sku: str) -> None:
        product = Product(
            product_id=index + 1,
            sku=sku,
            name=f"Tea-pot N°{index} “É”",
            category=CATEGORIES[index],
            price=Decimal("1.001") * (index + 1),
            retired=False,
            on_hand=1_000_000,
            reserved=0,
            version=1,
        )
        self.products[sku] = product
        self._record(
            "product", product.product_id, ProductListed(**self._as_event(product), on_hand=1_000_000)
        )

    @staticmethod
    def _as_event(product: Product) -> dict[str, Any]:
        return {
            name: getattr(product, name)
            for name in ("product_id", "sku", "name", "category", "price", "retired")
        }

    def _place(self, a: int, b: int, c: int) -> None:
        user_id = USERS[b % len(USERS)]
        order_id = len(self.orders) + 1
        lines = tuple(OrderLine(sku=SKUS[(b + n) % len(SKUS)], qty=a % 7 + n + 1) for n in range(c % 4 + 1))
        address = Address(country=COUNTRIES[c % len(COUNTRIES)], name="Ada" if a % 2 else "")
        command = PlaceOrder(
            user_id=user_id,
            lines=lines,
            address=address,
            reference=f"R{order_id}" if c % 2 else None,
            address_required=False,
        )
        number = f"N{user_id}" if user_id else None
        buyer = Buyer(user_id=user_id, customer_number=number, on_credit=a % 3 == 0)
        event = orders.place_order(command, order_id, buyer, self.products)
        self.orders[order_id] = orders.evolve(None, event)
        self._record(
            "order", order_id, event, {"name": address.name, "city": "Łódź"} if address.name else None
        )

    def _order(self, a: int) -> Order | None:
        return self.orders.get(a % len(self.orders) + 1) if self.orders else None

    def _go(self, order: Order | None, command: Any) -> None:
        if order:
            event = orders.decide(order, command)
            self.orders[order.order_id] = orders.evolve(order, event)
            self._record("order", order.order_id, event)

    def _charge(self, a: int, b: int, c: int) -> None:
        order = self._order(a)
        if order:
            command = ChargePayment(
                order_id=order.order_id, amount=order.open_amount, reference=f"{a}-{b}-{c}"
            )
            self._go(order, command)

    def _ship(self, a: int, b: int, c: int) -> None:
        self._go(self._order(a), ShipOrder(order_id=1, carrier="DHL", tracking_number=str(b)))

    def _deliver(self, a: int, b: int, c: int) -> None:
        self._go(self._order(a), DeliverOrder(order_id=1))

    def _cancel(self, a: int, b: int, c: int) -> None:
        self._go(self._order(a), CancelOrder(order_id=1, reason="changed my mind"))

    def _erase(self, a: int, b: int, c: int) -> None:
        self._go(self._order(a), EraseCustomer(order_id=1))

    def _credit(self, a: int, b: int, c: int) -> None:
        """Return something of an order at some price, and give something back that names no order."""
        order = self._order(a)
        lines = [
            CreditNoteLine(sku=UNLISTED if b % 2 else SKUS[0], qty=c % 3 + 1, price=Decimal("0.5") * (a % 3))
        ]
        if order:
            sold = order.lines[b % len(order.lines)]
            price = sold.price * (c % 3)
            parts = [
                CreditNoteLine(
                    sku=sold.sku, qty=1, price=price, order_id=order.order_id, order_line_no=sold.line_no
                )
            ]
            lines += parts * (c % 2 + 1)
        self.credit_notes += 1
        command = RecordCreditNote(
            user_id=order.user_id if order else None,
            lines=tuple(lines),
            country=COUNTRIES[b % len(COUNTRIES)],
        )
        named = {line: order for line in lines if line.order_id and order}
        number = f"N{command.user_id}" if command.user_id else None
        event = record_credit_note(command, self.credit_notes, number, self.products, named)
        self._record("credit_note", self.credit_notes, event)
        for order_id, returned in returned_by_order(event).items():
            back = orders.return_items(self.orders[order_id], self.credit_notes, returned)
            self.orders[order_id] = orders.evolve(self.orders[order_id], back)
            self._record("order", order_id, back)

    def _product(self, a: int, b: int, c: int) -> None:
        product = self.products[SKUS[a % len(SKUS)]]
        said = self._as_event(product)
        event: Event
        if b % 3 == 0:
            event = ProductRepriced(**said | {"price": Decimal(c + 1)}, previous_price=product.price)
        elif b % 3 == 1:
            event = ProductRestocked(**said, qty=c + 1, on_hand=1_000_000 + c)
        else:
            event = ProductRetired(**said | {"retired": True})
        self.products[product.sku] = replace(product, price=event.price)
        self._record("product", product.product_id, event)

    def _listing(self, a: int, b: int, c: int) -> None:
        """List what credit notes gave money back for before the catalogue knew it."""
        if self.credit_notes > 1 and UNLISTED not in self.products:
            self._list(len(SKUS), UNLISTED)

    def _limit(self, a: int, b: int, c: int) -> None:
        user_id = a % 2 + 1
        event = CreditLimitSet(user_id=user_id, limit=Decimal(b), previous_limit=Decimal(0), used=Decimal(0))
        self._record("credit_account", user_id, event)


KINDS = (
    "place",
    "place",
    "place",
    "charge",
    "ship",
    "deliver",
    "cancel",
    "erase",
    "credit",
    "credit",
    "product",
    "listing",
    "limit",
)
small = st.integers(0, 30)
histories = st.lists(st.tuples(st.sampled_from(KINDS), small, small, small), min_size=1, max_size=25).map(
    lambda steps: Shop().take(steps)
)


def long_history(steps: int) -> list[Happened]:
    """Make always the same history."""
    chance = Random(1)
    return Shop().take(
        (chance.choice(KINDS), *(chance.randrange(31) for _ in range(3))) for _ in range(steps)
    )


def write_to_log(history: Iterable[Happened]) -> int:
    """Append and relay a history; return the position before its first event."""
    before = head()
    with transaction.atomic():
        append([happened.message() for happened in history])
    while Relay().run_once(django_connection()):
        pass
    return before
