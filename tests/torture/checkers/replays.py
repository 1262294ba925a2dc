"""The log replayed in memory, one event after another: the write model and every read model must say the same."""

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from orders_write.domain import order as orders
from orders_write.domain import product as products
from orders_write.domain.order import Order
from orders_write.domain.product import Product
from orders_write.events import (
    CreditNoteRecorded,
    OrderCancelled,
    OrderEvent,
    OrderPlaced,
    PaymentCharged,
    ProductEvent,
)
from tests.orders_read import reference
from tests.orders_read.histories import Happened

from ..snapshot import DOCUMENT, Logged, Row, Snapshot
from .finding import Finding, by_key, compare

KEYS = {
    "orders": ("order_id",),
    "order_items": ("order_id", "line_no"),
    "payments": ("order_id", "kind"),
    "products": ("product_id",),
    "credit_notes": ("credit_note_id",),
    "credit_note_lines": ("credit_note_id", "line_no"),
}
READ_KEYS = {
    "order_details": ("order_id",),
    "order_search": ("order_id",),
    "user_dashboard": ("user_id",),
    "user_orders": ("order_id",),
    "daily_revenue": ("day", "category", "country"),
    "daily_orders": ("day", "country"),
    "product_sales": ("sku",),
    "product_catalogue": ("product_id",),
}
PERSONAL = ("name", "street", "postcode", "city", "email")
CREDITED = ("line_no", "order_id", "order_line_no", "product_id", "sku", "qty", "price")


def write_model(snapshot: Snapshot) -> Finding:
    """Compare the write model with what the domain makes of the log."""
    finding = Finding("the write model equals a replay of the log")
    replayed = _replay(snapshot.log)
    for table, columns in KEYS.items():
        found = [
            {name: value for name, value in row.items() if name != "payment_id"}
            for row in snapshot.written[table]
        ]
        compare(finding, table, by_key(found, *columns), replayed[table])
    return finding


def read_models(snapshot: Snapshot) -> Finding:
    """Compare every read model with the reference in plain Python; words and clocks of the database are left out."""
    finding = Finding("every read model equals a replay in memory")
    expected = reference.fold([_happened(each) for each in snapshot.log], 1)
    for model in snapshot.read:
        finding.expect(model in expected, f"read_{model} has no reference")
    for model, rows in expected.items():
        columns = READ_KEYS[model]
        found = by_key(map(_comparable, snapshot.read[model]), *columns)
        compare(finding, f"read_{model}", found, by_key(rows.values(), *columns))
    return finding


def _happened(logged: Logged) -> Happened:
    return Happened(
        aggregate_type=logged.aggregate_type,
        aggregate_id=logged.aggregate_id,
        version=logged.version,
        event=logged.event,
        at=logged.occurred_at,
        personal=dict(logged.personal) if logged.personal else None,
        actor=logged.metadata["actor"],
    )


def _comparable(row: Row) -> Row:
    row = {name: value for name, value in row.items() if name != "words"}
    if DOCUMENT in row:
        document = row[DOCUMENT]
        timeline = [
            {name: value for name, value in entry.items() if name != "recorded_at"}
            for entry in document["timeline"]
        ]
        row[DOCUMENT] = document | {"timeline": timeline}
    return row


Tables = dict[str, dict[Hashable, Row]]


def _replay(log: Iterable[Logged]) -> Tables:
    tables: Tables = {table: {} for table in KEYS}
    order_states: dict[int, Order] = {}
    product_states: dict[int, Product] = {}
    for logged in log:
        event = logged.event
        if isinstance(event, OrderEvent):
            _order(tables, order_states, logged)
        elif isinstance(event, ProductEvent):
            before = product_states.get(event.product_id)
            product_states[event.product_id] = after = products.evolve(before, event)
            tables["products"][event.product_id,] = {
                name: getattr(after, name)
                for name in ("sku", "name", "category", "price", "retired", "version")
            } | {"product_id": event.product_id, "last_message_id": logged.message_id}
        elif isinstance(event, CreditNoteRecorded):
            _credit_note(tables, logged, event)
    return tables


def _order(tables: Tables, states: dict[int, Order], logged: Logged) -> None:
    event: Any = logged.event
    states[event.order_id] = after = orders.evolve(states.get(event.order_id), event)
    row = tables["orders"].setdefault((event.order_id,), {})
    if isinstance(event, OrderPlaced):
        row |= _placed(logged, event)
    row |= {name: getattr(after, name) for name in ("status", "paid", "returned", "version")}
    row["last_message_id"] = logged.message_id
    for line in after.lines:
        tables["order_items"][event.order_id, line.line_no] = {
            name: getattr(line, name) for name in ("line_no", "product_id", "qty", "price")
        } | {"order_id": event.order_id, "returned_qty": line.returned}
    if isinstance(event, PaymentCharged):
        _pay(tables, logged, "charge", amount=event.amount, reference=event.reference, method=event.method)
    if isinstance(event, OrderCancelled) and event.refund:
        _pay(tables, logged, "refund", amount=event.refund, reference=None, method="")


def _placed(logged: Logged, event: OrderPlaced) -> Row:
    personal: Mapping[str, str] = logged.personal or {}
    said = ("order_id", "user_id", "source", "reference", "total", "currency", "on_credit")
    address = {f"ship_{name}": personal.get(name, "") for name in PERSONAL} | {"ship_country": event.country}
    return {name: getattr(event, name) for name in said} | address | {"created_at": logged.occurred_at}


def _pay(tables: Tables, logged: Logged, kind: str, **said: Any) -> None:
    common = {"order_id": logged.aggregate_id, "kind": kind, "created_at": logged.occurred_at}
    tables["payments"][logged.aggregate_id, kind] = common | said


def _credit_note(tables: Tables, logged: Logged, event: CreditNoteRecorded) -> None:
    said = ("credit_note_id", "user_id", "source", "reference", "country", "currency", "total", "reason")
    tables["credit_notes"][event.credit_note_id,] = {name: getattr(event, name) for name in said} | {
        "created_at": logged.occurred_at,
        "version": logged.version,
        "last_message_id": logged.message_id,
    }
    for line in event.lines:
        tables["credit_note_lines"][event.credit_note_id, line.line_no] = {
            name: getattr(line, name) for name in CREDITED
        } | {"credit_note_id": event.credit_note_id}
