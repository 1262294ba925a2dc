"""A short life of a shop that is sound, told by the domain alone: for the tests of the checks."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from orders_write.commands import (
    Address,
    CancelOrder,
    ChargePayment,
    CreditNoteLine,
    DeliverOrder,
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
    payload_of,
)
from tests.orders_read import reference

from .checkers.identities import Stock
from .checkers.replays import _happened, _replay
from .history import OK, REFUSED, Answer, Operation, Request
from .snapshot import PREPARATION, Logged, Snapshot

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SCOPE = "user:1"
HOME = Address(country="France", name="Ada", street="1 Rue A", postcode="75001", city="Paris")
MUG = Product(
    product_id=1,
    sku="mug",
    name="Mug",
    category="kitchen",
    price=Decimal("2.5"),
    retired=False,
    on_hand=20,
    reserved=0,
    version=1,
)
OF_PRODUCT = ("product_id", "sku", "name", "category", "price", "retired")


@dataclass(slots=True)
class Story:
    """What happened so far, and what was answered."""

    log: list[Logged] = field(default_factory=list)
    operations: dict[str, Operation] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)

    def tell(
        self, op: str, command: str, named: dict[str, int], *events: tuple[str, int, int, Event]
    ) -> None:
        """Let an operation lead to events (aggregate type, id, version, event), and answer it with the first."""
        for aggregate_type, aggregate_id, version, event in events:
            self._log(op, aggregate_type, aggregate_id, version, event)
        if op != PREPARATION:
            _, _, version, _ = events[0]
            document = {name: str(key) for name, key in named.items()} | {"version": version}
            self.answer(op, command, Answer(outcome=OK, status=200, body=json.dumps(document)))

    def answer(self, op: str, command: str, answer: Answer, **said: Any) -> None:
        """Write an answer of an operation down."""
        asked = {"op": op, "who": "ada", "command": command, "target": "", "body": {}, "key": op} | said
        operation = self.operations.setdefault(op, Operation(request=Request(**asked)))
        operation.attempts += 1
        operation.answers.append(answer)

    def place(
        self, op: str, order_id: int, user_id: int | None, qty: int, *, on_credit: bool = False
    ) -> None:
        """Place an order of mugs."""
        command = PlaceOrder(user_id=user_id, lines=(OrderLine(sku="mug", qty=qty),), address=HOME)
        buyer = Buyer(user_id=user_id, customer_number=None, on_credit=on_credit)
        event = orders.place_order(command, order_id, buyer, {"mug": MUG})
        self.orders[order_id] = orders.evolve(None, event)
        self.tell(op, "PlaceOrder", {"order_id": order_id}, ("order", order_id, 1, event))

    def go_on(self, op: str, command: Any) -> None:
        """Bring an order on."""
        event = orders.decide(self.orders[command.order_id], command)
        after = self.orders[command.order_id] = orders.evolve(self.orders[command.order_id], event)
        key = command.order_id
        self.tell(op, type(command).__name__, {"order_id": key}, ("order", key, after.version, event))

    def credit(self, op: str, order_id: int) -> None:
        """Take a piece of an order back."""
        order = self.orders[order_id]
        line = CreditNoteLine(sku="mug", qty=1, price=Decimal("2.5"), order_id=order_id, order_line_no=1)
        command = RecordCreditNote(user_id=order.user_id, lines=(line,), country="France")
        note = record_credit_note(command, 1, None, {"mug": MUG}, {line: order})
        back = orders.return_items(order, 1, returned_by_order(note)[order_id])
        self.orders[order_id] = orders.evolve(order, back)
        version = self.orders[order_id].version
        events = (("credit_note", 1, 1, note), ("order", order_id, version, back))
        self.tell(op, "CreditOrder", {"credit_note_id": 1}, *events)

    def product(self, op: str, command: str, version: int, event: Event) -> None:
        """Let something happen to the product."""
        self.tell(op, command, {"product_id": 1}, ("product", 1, version, event))

    def limit(self, op: str, version: int, limit: int, used: str) -> None:
        """Set the first user's credit limit."""
        event = CreditLimitSet(user_id=1, limit=Decimal(limit), previous_limit=Decimal(0), used=Decimal(used))
        self.tell(op, "SetCreditLimit", {"user_id": 1}, ("credit_account", 1, version, event))

    def _log(self, op: str, aggregate_type: str, aggregate_id: int, version: int, event: Event) -> None:
        number = len(self.log) + 1
        is_personal = type(event).__name__ == "OrderPlaced"
        self.log.append(
            Logged(
                position=number,
                message_id=2 * number,
                event_id=UUID(int=number),
                event_type=type(event).__name__,
                aggregate_type=aggregate_type,
                aggregate_id=aggregate_id,
                version=version,
                payload=orjson.loads(payload_of(event)),
                metadata={"actor": "user:1", "correlation_id": op},
                occurred_at=NOON + timedelta(minutes=number),
                recorded_at=NOON,
                personal={"name": HOME.name, "city": HOME.city} if is_personal else None,
            )
        )


def told() -> Story:
    """Tell the story, with every kind of command but those that change nothing else."""
    story = Story()
    said: dict[str, Any] = {name: getattr(MUG, name) for name in OF_PRODUCT}
    story.product(PREPARATION, "", 1, ProductListed(**said, on_hand=20))
    story.limit(PREPARATION, 1, 50, "0")
    story.place("a", 1, 1, 4, on_credit=True)
    story.place("b", 2, 2, 2)
    story.place("c", 3, None, 3)
    story.go_on("d", ChargePayment(order_id=2, amount=Decimal(5), reference="d"))
    story.go_on("e", ShipOrder(order_id=2))
    story.go_on("f", ChargePayment(order_id=3, amount=Decimal("7.5"), reference="f"))
    story.go_on("g", CancelOrder(order_id=3))
    story.credit("h", 2)
    story.go_on("i", DeliverOrder(order_id=2))
    story.product("j", "RestockProduct", 2, ProductRestocked(**said, qty=5, on_hand=24))
    story.product("k", "RepriceProduct", 3, ProductRepriced(**said, previous_price=MUG.price))
    story.limit("l", 2, 10, "10")
    refusal = Answer(outcome=REFUSED, status=422, body='{"rule": "NotEnoughStock"}')
    story.answer("m", "PlaceOrder", refusal)
    reused = Answer(outcome=REFUSED, status=422, body='{"type": "urn:orders:KeyReused"}')
    story.answer("a-changed", "PlaceOrder", reused, key="a", is_changed=True)
    return story


def snapshot_of(story: Story) -> Snapshot:
    """Show the database as it is when the story has been delivered."""
    written = {table: list(rows.values()) for table, rows in _replay(story.log).items()}
    stock = Stock()
    for logged in story.log:
        list(stock.take(logged))
    written["stock"] = [{"product_id": 1, "on_hand": stock.on_hand[1], "reserved": stock.reserved[1]}]
    written["credit_accounts"] = [{"user_id": 1, "limit": Decimal(10), "used": Decimal(10)}]
    read = reference.fold([_happened(each) for each in story.log], 1)
    head = len(story.log)
    return Snapshot(
        log=story.log,
        written=written,
        read={model: list(rows.values()) for model, rows in read.items()},
        answers={
            (SCOPE, op): (each.kept.status, each.kept.body)
            for op, each in story.operations.items()
            if each.kept and not each.request.is_changed
        },
        standing=[{"subscriber": "order_details", "generation": 1, "position": head}],
    )


def taken_of(story: Story) -> list[dict[str, Any]]:
    """Show what the receiver of webhooks wrote down."""
    return [
        {
            "event_id": str(each.event_id),
            "aggregate_type": each.aggregate_type,
            "aggregate_id": str(each.aggregate_id),
            "aggregate_version": each.version,
        }
        for each in story.log
    ]
