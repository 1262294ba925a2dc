"""Turn a step of the schedule into a request: what it hits is chosen among the orders that are known by then."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Protocol

from .history import Answer, Request
from .product import Cast
from .schedule import CUSTOMERS, Step

NEWEST = 12  # all clients aim at the newest few orders, so that they meet there
ADDRESS = {
    "name": "Ada",
    "street": "1 Rue A",
    "postcode": "75001",
    "city": "Paris",
    "email": "ada@example.org",
}
UPON_ORDERS = ("ChargePayment", "ShipOrder", "DeliverOrder", "CancelOrder", "CreditOrder")
EXPECTING = 6  # one in so many commands upon an order expects the version that was seen last

Document = Mapping[str, Any]


class Known(Protocol):
    """What can be aimed at."""

    def order(self, aim: int, user_id: int | None) -> Document | None:
        """Pick one of the newest orders, of one user or of all."""

    def listed(self, aim: int) -> str | None:
        """Pick one of the products that were listed during the run."""


class Seen:
    """What the answers told so far; shared by the clients of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: dict[str, Document] = {}
        self._skus: list[str] = []

    def take(self, request: Request, answer: Answer) -> None:
        """Remember what a command led to."""
        if answer.outcome != "ok":
            return
        document = answer.document()
        with self._lock:
            if "order_id" in document:
                known = self._orders.get(document["order_id"], {"version": 0})
                if document["version"] > known["version"]:
                    self._orders[document["order_id"]] = document
            elif request.command == "ListProduct":
                self._skus.append(document["sku"])

    def order(self, aim: int, user_id: int | None) -> Document | None:
        """Pick one of the newest orders, of one user or of all."""
        with self._lock:
            orders = list(self._orders.values())
        if user_id is not None:
            orders = [each for each in orders if each["user_id"] == str(user_id)]
        newest = orders[-NEWEST:]
        return newest[aim % len(newest)] if newest else None

    def listed(self, aim: int) -> str | None:
        """Pick one of the products that were listed during the run."""
        with self._lock:
            return self._skus[aim % len(self._skus)] if self._skus else None


def request_of(op: str, who: str, step: Step, known: Known, cast: Cast) -> Request | None:
    """Make the request of a step; None when there is nothing yet that it could be upon."""
    request = Request(op=op, who=who, command=step.do, target="", body={}, key=op)
    if step.do in UPON_ORDERS:
        document = known.order(step.aim, cast.users[who] if who in CUSTOMERS else None)
        return _upon_order(request, step, document) if document else None
    target, body = _other(op, who, step, known, cast)
    return None if target is None else replace(request, target=target, body=body)


def changed(request: Request) -> Request | None:
    """Change the body and keep the key; None where the body says nothing that could be changed."""
    body = request.body
    match request.command:
        case "PlaceOrder":
            line, *others = body["lines"]
            other = body | {"lines": [line | {"qty": line["qty"] + 1}, *others]}
        case "ChargePayment":
            other = body | {"method": "cash"}
        case "ShipOrder":
            other = body | {"carrier": "UPS"}
        case "CancelOrder" | "CreditOrder" | "RecordCreditNote":
            other = body | {"reason": "another"}
        case "ListProduct":
            other = body | {"name": "Another"}
        case "RestockProduct":
            other = body | {"qty": body["qty"] + 1}
        case "RepriceProduct" | "SetCreditLimit":
            (name,) = body
            other = {name: str(Decimal(body[name]) + 1)}
        case _:
            return None
    return replace(request, op=f"{request.op}-changed", body=other, is_changed=True)


def _upon_order(request: Request, step: Step, document: Document) -> Request:
    version = document["version"] if step.aim % EXPECTING == 0 and step.do != "CreditOrder" else None
    return replace(request, target=document["order_id"], body=_body(request, step, document), version=version)


def _body(request: Request, step: Step, document: Document) -> dict[str, Any]:
    match step.do:
        case "ChargePayment":
            amount = "0.0100" if step.said["wrong"] else document["open_amount"]
            return {"amount": amount.lstrip("-"), "reference": request.op, "method": "card"}
        case "ShipOrder":
            return {"carrier": "DHL"}
        case "CancelOrder":
            return {"reason": "changed my mind"}
        case "CreditOrder":
            line = document["lines"][step.aim % len(document["lines"])]
            price = {"price": step.said["price"]} if step.said["price"] else {}
            return {
                "lines": [{"line_no": line["line_no"], "qty": step.said["qty"]} | price],
                "reason": "broken",
            }
    return {}


def _other(op: str, who: str, step: Step, known: Known, cast: Cast) -> tuple[str | None, dict[str, Any]]:
    said = step.said
    match step.do:
        case "PlaceOrder":
            return "", _order(who, step, cast)
        case "RecordCreditNote":
            line = {name: said[name] for name in ("sku", "qty", "price")}
            return "", {
                "lines": [line],
                "country": "France",
                "user_id": str(_customer(step, cast)),
                "reason": "kind",
            }
        case "ListProduct":
            named = {"sku": f"new-{op}", "name": f"New {op}", "category": "new"}
            return "", named | {"price": said["price"], "on_hand": said["on_hand"]}
        case "RetireProduct":
            return known.listed(step.aim), {}
        case "SetCreditLimit":
            return str(cast.users[said["user"]]), {"limit": said["limit"]}
    return said["sku"], {name: said[name] for name in ("price", "qty") if name in said}


def _order(who: str, step: Step, cast: Cast) -> dict[str, Any]:
    lines = [{"sku": sku, "qty": qty} for sku, qty in step.said["lines"]]
    body = {"lines": lines, "address": ADDRESS | {"country": step.said["country"]}}
    if who in CUSTOMERS:
        return body
    return body | {"user_id": None if step.said["guest"] else str(_customer(step, cast))}


def _customer(step: Step, cast: Cast) -> int:
    return cast.users[list(CUSTOMERS)[step.aim % len(CUSTOMERS)]]
