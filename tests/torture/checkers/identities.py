"""Stock, credit and payments, summed up from events alone: never negative or beyond, and equal to the tables."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from orders_write.events import (
    CreditLimitSet,
    ItemsReturned,
    OrderCancelled,
    OrderEvent,
    OrderPlaced,
    OrderShipped,
    PaymentCharged,
    ProductListed,
    ProductRestocked,
    Status,
)

from ..snapshot import Logged, Snapshot
from .finding import Finding

ZERO = Decimal(0)
LEFT = (Status.SHIPPED, Status.DELIVERED)


@dataclass(slots=True)
class Stock:
    """Pieces by product: those in the warehouse, and those of them that are reserved."""

    on_hand: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    reserved: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    left: dict[int, dict[int, tuple[int, int]]] = field(default_factory=lambda: defaultdict(dict))

    def take(self, logged: Logged) -> Iterator[int]:
        """Take an event in; yield the products that it moved."""
        match event := logged.event:
            case ProductListed():
                self.on_hand[event.product_id] = event.on_hand
                yield event.product_id
            case ProductRestocked():
                self.on_hand[event.product_id] += event.qty
                yield event.product_id
            case OrderPlaced():
                for line in event.lines:
                    self.left[event.order_id][line.line_no] = line.product_id, line.qty
                    self.reserved[line.product_id] += line.qty
                    yield line.product_id
            case OrderCancelled():
                for line in event.lines:
                    self.reserved[line.product_id] -= line.qty
                    yield line.product_id
            case OrderShipped():
                for product_id, qty in self.left[event.order_id].values():
                    self.on_hand[product_id] -= qty
                    self.reserved[product_id] -= qty
                    yield product_id
            case ItemsReturned():
                yield from self._return(event)

    def _return(self, event: ItemsReturned) -> Iterator[int]:
        for line in event.lines:
            product_id, qty = self.left[event.order_id][line.line_no]
            self.left[event.order_id][line.line_no] = product_id, qty - line.qty
            if event.status in LEFT:
                self.on_hand[product_id] += line.qty
            else:
                self.reserved[product_id] -= line.qty
            yield product_id


def stock(snapshot: Snapshot) -> Finding:
    """Check that no piece was sold twice, at no moment, and that the table says what the events come to."""
    finding, kept = Finding("stock is the sum of the events, never oversold"), Stock()
    for logged in snapshot.log:
        for product_id in kept.take(logged):
            finding.count("moves")
            on_hand, reserved = kept.on_hand[product_id], kept.reserved[product_id]
            finding.expect(
                0 <= reserved <= on_hand,
                f"product {product_id} has {on_hand} pieces, {reserved} reserved, at position {logged.position}",
            )
        if isinstance(logged.event, ProductRestocked):
            on_hand = kept.on_hand[logged.event.product_id]
            told = logged.event.on_hand
            finding.expect(
                told == on_hand, f"position {logged.position} tells of {told} pieces, there are {on_hand}"
            )
    for row in snapshot.written["stock"]:
        finding.count("products")
        found = row["on_hand"], row["reserved"]
        expected = kept.on_hand[row["product_id"]], kept.reserved[row["product_id"]]
        finding.expect(
            found == expected, f"product {row['product_id']} has {found}, the events come to {expected}"
        )
    return finding


def credit(snapshot: Snapshot) -> Finding:
    """Check that nobody owed more than the limit, at no moment, and that the table says what the events come to."""
    finding = Finding("credit used is the sum of open orders, within the limit")
    held: dict[int, Decimal] = {}
    used: dict[int, Decimal] = defaultdict(lambda: ZERO)
    limits: dict[int, Decimal] = {}
    for logged in snapshot.log:
        event = logged.event
        if isinstance(event, CreditLimitSet):
            limits[event.user_id] = event.limit
            told = event.used == used[event.user_id] <= event.limit
            finding.expect(told, f"position {logged.position}: {event}, but {used[event.user_id]} is used")
        if isinstance(event, OrderPlaced) and event.on_credit:
            held[event.order_id] = ZERO
        if isinstance(event, OrderEvent) and event.order_id in held and event.user_id is not None:
            now = max(ZERO, event.open_amount)
            change, held[event.order_id] = now - held[event.order_id], now
            used[event.user_id] += change
            is_within = change <= 0 or used[event.user_id] <= limits[event.user_id]
            finding.expect(is_within, f"user {event.user_id} owes {used[event.user_id]} at {logged.position}")
    finding.count("orders on credit", len(held))
    for row in snapshot.written["credit_accounts"]:
        finding.count("accounts")
        found, expected = (row["limit"], row["used"]), (limits[row["user_id"]], used[row["user_id"]])
        finding.expect(
            found == expected, f"account {row['user_id']} has {found}, the events come to {expected}"
        )
    return finding


def payments(snapshot: Snapshot) -> Finding:
    """Check that what an order has as paid is what came in less what went back, and no reference was used twice."""
    finding = Finding("paid is what came in less what went back")
    paid: dict[int, Decimal] = defaultdict(lambda: ZERO)
    booked: dict[int, Decimal] = defaultdict(lambda: ZERO)
    references: set[str] = set()
    for logged in snapshot.log:
        event = logged.event
        if isinstance(event, PaymentCharged):
            finding.count("payments")
            finding.expect(event.reference not in references, f"reference {event.reference} was booked twice")
            references.add(event.reference)
            paid[event.order_id] += event.amount
        if isinstance(event, OrderCancelled):
            paid[event.order_id] -= event.refund
        if isinstance(event, OrderEvent):
            told = event.paid == paid[event.order_id]
            finding.expect(
                told, f"position {logged.position} tells of {event.paid} paid, not {paid[event.order_id]}"
            )
    for row in snapshot.written["payments"]:
        booked[row["order_id"]] += row["amount"] if row["kind"] == "charge" else -row["amount"]
    for row in snapshot.written["orders"]:
        finding.count("orders")
        order_id = row["order_id"]
        found, expected = (row["paid"], booked[order_id]), (paid[order_id], paid[order_id])
        finding.expect(found == expected, f"order {order_id} has (paid, booked) {found}, not {expected}")
    return finding
