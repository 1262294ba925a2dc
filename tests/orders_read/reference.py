"""The folds once more, one event at a time in plain Python: what the SQL must be equal to."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from orders_write.events import (
    CreditLimitSet,
    CreditNoteRecorded,
    CustomerErased,
    ItemsReturned,
    OrderCancelled,
    OrderEvent,
    OrderPlaced,
    PaymentCharged,
    ProductEvent,
    ProductListed,
    ProductRestocked,
    payload_of,
)

from .histories import Happened

Row = dict[str, Any]
Tables = dict[str, dict[Any, Row]]

STANDING = ("status", "paid", "returned", "open_amount")
COMMON = {"order_id", "user_id", "customer_number", "country", "currency", "paid", "returned", "open_amount"}
STATUSES = ("confirmed", "paid", "shipped", "delivered", "cancelled")
PERSONAL = ("name", "email", "street", "postcode", "city")


def fold(history: Iterable[Happened], first_position: int) -> Tables:
    """Return each table as rows by key; `recorded_at` and words are left out."""
    names = "order_details order_search user_dashboard user_orders daily_revenue daily_orders"
    tables: Tables = {name: {} for name in f"{names} product_sales product_catalogue".split()}
    for position, happened in enumerate(history, first_position):
        event = happened.event
        if isinstance(event, OrderEvent):
            _order(tables, position, happened, event)
        if isinstance(event, OrderPlaced | OrderCancelled | CreditNoteRecorded):
            _trade(tables, position, happened, event)
        _user(tables, position, happened)
        _stock(tables, position, happened)
    return tables


def _order(tables: Tables, position: int, happened: Happened, event: OrderEvent) -> None:
    payload = orjson.loads(payload_of(event))
    details, search = tables["order_details"], tables["order_search"]
    if isinstance(event, OrderPlaced):
        personal = happened.personal
        customer = {name: personal.get(name) for name in PERSONAL} if personal else None
        document = payload | {"placed_at": _text(happened.at), "customer": customer, "timeline": []}
        details[event.order_id] = {"order_id": event.order_id, "user_id": event.user_id, "document": document}
        search[event.order_id] = {
            **{
                name: getattr(event, name)
                for name in ("order_id", "user_id", "source", "reference", "customer_number")
            },
            **{name: getattr(event, name) for name in ("country", "currency", "total", "units")},
            "customer_name": personal.get("name") if personal else None,
            "placed_at": happened.at,
            "lines": len(event.lines),
            "first_item": event.lines[0].name,
        }
    document = details[event.order_id]["document"]
    document |= {name: payload[name] for name in STANDING} | {"version": happened.version}
    if isinstance(event, ItemsReturned):
        for back in event.lines:
            (line,) = (line for line in document["lines"] if line["line_no"] == back.line_no)
            line["returned"] = back.returned
    if isinstance(event, CustomerErased):
        document["customer"] = search[event.order_id]["customer_name"] = None
    kept = {"status": payload["status"]}
    if isinstance(event, OrderPlaced):
        kept["amount"] = payload["total"]
    else:
        dropped = COMMON | ({"lines"} if isinstance(event, OrderCancelled | CustomerErased) else set())
        kept = {name: value for name, value in payload.items() if name not in dropped}
    envelope = {
        "event": type(event).__name__,
        "version": happened.version,
        "position": str(position),
        "at": _text(happened.at),
        "by": happened.actor,
    }
    document["timeline"].append(envelope | kept)
    details[event.order_id]["row_version"] = position
    search[event.order_id] |= {name: getattr(event, name) for name in STANDING}
    search[event.order_id] |= {"version": happened.version, "row_version": position}


def _trade(
    tables: Tables,
    position: int,
    happened: Happened,
    event: OrderPlaced | OrderCancelled | CreditNoteRecorded,
) -> None:
    day = happened.at.date()
    of_day = tables["daily_orders"].setdefault(
        (day, event.country),
        {"day": day, "country": event.country, "orders": 0, "credit_notes": 0, "cancellations": 0},
    )
    sold, cancelled = isinstance(event, OrderPlaced), isinstance(event, OrderCancelled)
    of_day["orders" if sold else "cancellations" if cancelled else "credit_notes"] += 1
    of_day["row_version"] = position
    for line in event.lines:
        revenue = tables["daily_revenue"].setdefault(
            (day, line.category, event.country),
            {"day": day, "category": line.category, "country": event.country, "lines_returned": 0, **_sums()},
        )
        product = tables["product_sales"].setdefault(
            line.sku, {"sku": line.sku, "orders": 0, "credit_notes": 0, **_sums()}
        )
        product |= {"name": line.name, "category": line.category, "named_at": position}
        for row in (revenue, product):
            if sold:
                row["lines"] += 1
            units, amount = (
                ("units", "gross")
                if sold
                else ("units_cancelled", "cancelled")
                if cancelled
                else ("units_returned", "returned")
            )
            row[units] += line.qty
            row[amount] += line.amount
            row["row_version"] = position
        if not sold and not cancelled:
            revenue["lines_returned"] += 1
    for sku in {line.sku for line in event.lines}:
        if not cancelled:
            tables["product_sales"][sku]["orders" if sold else "credit_notes"] += 1


def _sums() -> Row:
    counts = dict.fromkeys(("lines", "units", "units_returned", "units_cancelled"), 0)
    return counts | dict.fromkeys(("gross", "returned", "cancelled"), Decimal(0))


def _user(tables: Tables, position: int, happened: Happened) -> None:
    event = happened.event
    if isinstance(event, ProductEvent) or event.user_id is None:
        return
    row = tables["user_dashboard"].setdefault(event.user_id, _nobody(event.user_id))
    row["row_version"] = position
    if isinstance(event, CreditLimitSet):
        row["credit_limit"] = event.limit
        return
    row["customer_number"] = event.customer_number or row["customer_number"]
    if isinstance(event, CreditNoteRecorded):
        row["credit_notes"] += 1
        row["units_returned"] += event.units
        row["returned"] += event.total
        return
    _dashboard_of_order(tables, position, happened, event, row)


def _dashboard_of_order(
    tables: Tables, position: int, happened: Happened, event: OrderEvent, row: Row
) -> None:
    if isinstance(event, OrderPlaced):
        row["orders"] += 1
        row["lines"] += len(event.lines)
        row["units"] += event.units
        row["spent"] += event.total
        row["first_order_at"] = min(row["first_order_at"] or happened.at, happened.at)
        if (happened.at, event.order_id) > (row["last_order_at"] or happened.at, row["last_order_id"] or 0):
            row |= {
                "last_order_at": happened.at,
                "last_order_id": event.order_id,
                "last_order_reference": event.reference,
            }
    if isinstance(event, PaymentCharged):
        row["paid"] += event.amount
    if isinstance(event, OrderCancelled):
        row["paid"] -= event.refund
        row["cancelled"] += event.amount
    own = tables["user_orders"]
    before = own.get(event.order_id)
    if before:
        row["open_amount"] -= before["open_amount"]
        row[f"orders_{before['status']}"] -= 1
    own[event.order_id] = {
        "order_id": event.order_id,
        "user_id": event.user_id,
        "status": event.status,
        "open_amount": event.open_amount,
        "row_version": position,
    }
    row["open_amount"] += event.open_amount
    row[f"orders_{event.status}"] += 1


def _nobody(user_id: int) -> Row:
    counts = (
        "orders",
        "lines",
        "units",
        "credit_notes",
        "units_returned",
        *(f"orders_{status}" for status in STATUSES),
    )
    unknown = (
        "customer_number", "credit_limit", "first_order_at", "last_order_at", "last_order_id", "last_order_reference"
    )  # fmt: skip
    return {
        "user_id": user_id,
        **dict.fromkeys(counts, 0),
        **dict.fromkeys(("spent", "returned", "cancelled", "paid", "open_amount"), Decimal(0)),
        **dict.fromkeys(unknown),
    }


def _stock(tables: Tables, position: int, happened: Happened) -> None:
    event, catalogue = happened.event, tables["product_catalogue"]
    moves: list[tuple[int, int]] = []
    if isinstance(event, ProductEvent):
        said = {name: getattr(event, name) for name in ("sku", "name", "category", "price", "retired")}
        row = catalogue.setdefault(event.product_id, {"product_id": event.product_id, "available": 0})
        row |= said | {"version": happened.version}
        pieces = event.on_hand if isinstance(event, ProductListed) else 0
        moves.append((event.product_id, event.qty if isinstance(event, ProductRestocked) else pieces))
    elif isinstance(event, OrderPlaced):
        moves += [(line.product_id, -line.qty) for line in event.lines]
    elif isinstance(event, OrderCancelled):
        moves += [(line.product_id, line.qty) for line in event.lines]
    elif isinstance(event, CreditNoteRecorded):
        moves += [(line.product_id, line.qty) for line in event.lines if line.product_id and line.order_id]
    for product_id, pieces in moves:
        catalogue[product_id]["available"] += pieces
        catalogue[product_id]["row_version"] = position


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
