"""The aggregates of one transaction: loaded under lock, changed in memory, written with their messages at the end.

The only caller of `outbox.append`. A batch of commands is decided one after another upon the same aggregates and
written by one statement per table.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import uuid_utils.compat as uuids

from outbox.append import append
from outbox.messages import Message, Metadata, PersonalData

from .commands import Address, CreditNoteLine
from .domain import credit, order, product
from .domain.credit import CreditAccount
from .domain.order import Buyer, Order
from .domain.product import Product, StockMove
from .events import (
    SCHEMA_VERSIONS,
    AnyOrderEvent,
    AnyProductEvent,
    CreditLimitSet,
    CreditNoteRecorded,
    CustomerErased,
    Event,
    OrderCancelled,
    PaymentCharged,
    payload_of,
)
from .exceptions import NotFound
from .loading import Loaded
from .needs import Reference
from .requests import Request

ZERO = Decimal(0)
PERSONAL = ("name", "street", "postcode", "city", "email")

AggregateKey = tuple[str, int]


@dataclass(slots=True)
class Repository:
    """What was loaded, what has changed since, and the messages that tell of it."""

    loaded: Loaded
    messages: list[Message] = field(default_factory=list)
    message_ids: list[int] = field(default_factory=list)
    newest_message: dict[AggregateKey, int] = field(default_factory=dict)
    placed: dict[int, tuple[Address, Request]] = field(default_factory=dict)
    changed_orders: dict[int, Order] = field(default_factory=dict)
    erased_orders: set[int] = field(default_factory=set)
    payments: list[dict[str, Any]] = field(default_factory=list)
    credit_notes: list[tuple[CreditNoteRecorded, Request]] = field(default_factory=list)
    listed: dict[int, str] = field(default_factory=dict)
    changed_products: set[int] = field(default_factory=set)
    stock_moves: list[StockMove] = field(default_factory=list)
    opened: set[int] = field(default_factory=set)
    changed_accounts: dict[int, CreditAccount] = field(default_factory=dict)
    skus: dict[int, str] = field(init=False)
    orders_by_reference: dict[Reference, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.skus = {each.product_id: each.sku for each in self.loaded.products.values()}
        for each in self.loaded.orders.values():
            self._name_order(each)

    # What the handlers ask for.

    def order(self, order_id: int, only_user_id: int | None) -> Order:
        """Return an order; NotFound when there is none, or when it belongs to another user than the one named."""
        found = self.loaded.orders.get(order_id)
        if found is None or only_user_id not in (None, found.user_id):
            raise NotFound(order_id=order_id)
        return found

    def order_of(self, line: CreditNoteLine, source: str) -> Order | None:
        """Return the order that a line of a credit note names, if there is one."""
        order_id = line.order_id
        if order_id is None and line.order_reference is not None:
            order_id = self.orders_by_reference.get((source, line.order_reference))
        return None if order_id is None else self.loaded.orders.get(order_id)

    def product(self, sku: str) -> Product:
        """Return a product; NotFound when there is none."""
        if sku not in self.loaded.products:
            raise NotFound(sku=sku)
        return self.loaded.products[sku]

    def buyer(self, user_id: int | None) -> Buyer:
        """Return who buys; NotFound when there is no such user."""
        return Buyer(
            user_id=user_id,
            customer_number=self.customer_number(user_id),
            on_credit=user_id is not None and user_id in self.loaded.accounts,
        )

    def customer_number(self, user_id: int | None) -> str | None:
        """Return a customer's public number, None for a guest; NotFound when there is no such user."""
        if user_id is None:
            return None
        if user_id not in self.loaded.customer_numbers:
            raise NotFound(user_id=user_id)
        return self.loaded.customer_numbers[user_id]

    # What the handlers save: all of it in memory, so a refusal in the middle of a batch leaves no trace.

    def save_order(
        self, request: Request, event: AnyOrderEvent, before: Order | None, address: Address | None = None
    ) -> Order:
        """Take in an order's event, with what it does to stock and credit; raises CreditExceeded."""
        after = order.evolve(before, event)
        self._hold_credit(before, after)
        self._move_stock(order.stock_moves(before, event))
        self.loaded.orders[after.order_id] = self.changed_orders[after.order_id] = after
        if address is not None:
            self.placed[after.order_id] = (address, request)
            self._name_order(after)
        if isinstance(event, CustomerErased):
            self.erased_orders.add(after.order_id)
        self._keep_payment(request, event)
        self._tell(
            request, ("order", after.order_id), after.version, event, _personal(after.user_id, address)
        )
        return after

    def save_credit_note(self, request: Request, event: CreditNoteRecorded) -> None:
        """Take in a new credit note; the orders that it names are saved one by one."""
        self.credit_notes.append((event, request))
        if event.reference is not None:
            self.loaded.credit_note_references.add((event.source, event.reference))
        self._tell(request, ("credit_note", event.credit_note_id), 1, event)

    def save_product(self, request: Request, event: AnyProductEvent, before: Product | None) -> Product:
        """Take in a product's event."""
        after = product.evolve(before, event)
        if before is None:
            self.listed[after.product_id] = after.sku
            self.skus[after.product_id] = after.sku
        elif after.on_hand != before.on_hand:
            self.stock_moves.append(StockMove(after.product_id, after.on_hand - before.on_hand, 0))
        self.loaded.products[after.sku] = after
        self.changed_products.add(after.product_id)
        self._tell(request, ("product", after.product_id), after.version, event)
        return after

    def save_account(self, request: Request, event: CreditLimitSet, before: CreditAccount) -> CreditAccount:
        """Take in a new credit limit."""
        after = credit.evolve(before, event)
        if before.version == 0:
            self.opened.add(after.user_id)
        self.loaded.accounts[after.user_id] = self.changed_accounts[after.user_id] = after
        self._tell(request, ("credit_account", after.user_id), after.version, event)
        return after

    def _name_order(self, known: Order) -> None:
        if known.reference is not None:
            self.orders_by_reference[known.source, known.reference] = known.order_id
            self.loaded.order_references.add((known.source, known.reference))

    def _hold_credit(self, before: Order | None, after: Order) -> None:
        change = after.held - (before.held if before else ZERO)
        if change and after.user_id is not None:
            account = credit.hold(self.loaded.accounts[after.user_id], change)
            self.loaded.accounts[after.user_id] = self.changed_accounts[after.user_id] = account

    def _move_stock(self, moves: Iterable[StockMove]) -> None:
        for move in moves:
            sku = self.skus[move.product_id]
            self.loaded.products[sku] = product.move(self.loaded.products[sku], move)
            self.stock_moves.append(move)

    def _keep_payment(self, request: Request, event: AnyOrderEvent) -> None:
        if isinstance(event, PaymentCharged):
            self.loaded.payment_references.add(event.reference)
            self.payments.append(
                {
                    "order_id": event.order_id,
                    "kind": "charge",
                    "amount": event.amount,
                    "reference": event.reference,
                    "method": event.method,
                    "created_at": request.now,
                }
            )
        elif isinstance(event, OrderCancelled) and event.refund > 0:
            self.payments.append(
                {
                    "order_id": event.order_id,
                    "kind": "refund",
                    "amount": event.refund,
                    "method": "",
                    "created_at": request.now,
                }
            )

    def _tell(
        self,
        request: Request,
        key: AggregateKey,
        version: int,
        event: Event,
        personal: PersonalData | None = None,
    ) -> None:
        self.newest_message[key] = len(self.messages)
        self.messages.append(
            Message(
                event_id=uuids.uuid7(),
                event_type=type(event).__name__,
                schema_version=SCHEMA_VERSIONS[type(event).__name__],
                aggregate_type=key[0],
                aggregate_id=key[1],
                aggregate_version=version,
                payload=payload_of(event),
                metadata=Metadata(
                    actor=request.actor,
                    correlation_id=request.correlation_id,
                    causation_id=request.causation_id,
                    traceparent=request.traceparent,
                ),
                occurred_at=request.now,
                personal=personal,
            )
        )

    # What reaches the database.

    def append(self) -> list[int]:
        """Put the messages into the outbox; returns their identities, in order."""
        self.message_ids = append(self.messages) if self.messages else []
        return self.message_ids

    def newest_message_id(self, aggregate_type: str, aggregate_id: int) -> int | None:
        """Return the identity of the newest message about an aggregate, None when this transaction has none."""
        index = self.newest_message.get((aggregate_type, aggregate_id))
        return None if index is None else self.message_ids[index]


def _personal(user_id: int | None, address: Address | None) -> PersonalData | None:
    if address is None:
        return None
    data = {name: getattr(address, name) for name in PERSONAL if getattr(address, name)}
    return PersonalData(subject_id=user_id, data=data) if data else None
