"""A client that writes and then reads by the token of its write: each question, and how its answer shows the write."""

import http.client
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

ATTEMPTS = 5
TIMEOUT_SECONDS = 30.0
ADDRESS = {"name": "A Name", "street": "1 Street", "postcode": "75001", "city": "Paris"}

Json = Any


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and after how long."""

    status: int
    headers: http.client.HTTPMessage
    body: Json
    seconds: float


@dataclass(frozen=True, slots=True)
class Written:
    """A write: its token, and what must be seen of it."""

    token: str
    order_id: str
    orders: int
    price: str


@dataclass(slots=True)
class Client:
    """A customer who places orders and a clerk who reprices their product, on one connection."""

    port: int
    customer: str
    clerk: str
    sku: str
    country: str
    orders: int = 0
    price: int = 0
    _connection: http.client.HTTPConnection | None = field(default=None)

    def write(self, question: str) -> Written:
        """Run a command that the question's answer must show."""
        if question in ("products", "product"):
            self.price += 1
            price = f"{self.price / 100 + 3:.2f}"
            answer = self._send("PUT", f"/api/v1/products/{self.sku}/price", self.clerk, {"price": price})
            return Written(answer.headers["Consistency-Token"], "", self.orders, f"{price}00")
        order = {"lines": [{"sku": self.sku, "qty": 1}], "address": ADDRESS | {"country": self.country}}
        answer = self._send("POST", "/api/v1/orders", self.customer, order)
        self.orders += 1
        return Written(answer.headers["Consistency-Token"], answer.body["order_id"], self.orders, "")

    def read(self, question: str, written: Written, **headers: str) -> Answer:
        """Ask."""
        who = self.clerk if question in STAFF else self.customer
        return self._send("GET", _path(self, question, written), who, None, **headers)

    def _send(self, method: str, path: str, who: str, body: Json, **headers: str) -> Answer:
        """Send, again under the same key where the connection had been closed meanwhile."""
        told = {
            "Authorization": f"Token {who}",
            **{name.replace("_", "-"): text for name, text in headers.items()},
        }
        if body is not None:
            told |= {"Content-Type": "application/json", "Idempotency-Key": uuid4().hex}
        for attempt in range(ATTEMPTS):
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)
            began = time.perf_counter()
            try:
                self._connection.request(method, path, None if body is None else json.dumps(body), told)
                response = self._connection.getresponse()
                text = response.read()
            except (OSError, http.client.HTTPException):
                self._connection = None
                if attempt + 1 == ATTEMPTS:
                    raise
            else:
                answer = Answer(
                    response.status, response.headers, json.loads(text), time.perf_counter() - began
                )
                if body is not None and answer.status not in (200, 201):
                    raise RuntimeError(f"{method} {path}: {answer.status} {answer.body}")
                return answer
        raise AssertionError("each attempt returns or raises")


def _shows_order(client: Client, written: Written, body: Json) -> bool:
    return _row(body["results"], "order_id", written.order_id) is not None


def _is_order(client: Client, written: Written, body: Json) -> bool:
    return bool(body["order_id"] == written.order_id)


def _counts_orders(client: Client, written: Written, body: Json) -> bool:
    return bool(body["orders"] >= written.orders)


def _counts_orders_of_country(client: Client, written: Written, body: Json) -> bool:
    row = _row(body["results"], "country", client.country)
    return row is not None and row["orders"] >= written.orders


def _counts_orders_of_product(client: Client, written: Written, body: Json) -> bool:
    row = _row(body["results"], "sku", client.sku)
    return row is not None and row["orders"] >= written.orders


def _lists_price(client: Client, written: Written, body: Json) -> bool:
    row = _row(body["results"], "sku", client.sku)
    return row is not None and row["price"] == written.price


def _has_price(client: Client, written: Written, body: Json) -> bool:
    return bool(body["price"] == written.price)


def _row(rows: list[Json], key: str, value: str) -> Json:
    return next((row for row in rows if row[key] == value), None)


Shows = Callable[[Client, Written, Json], bool]

# For each question its path, and how its answer shows what was written.
QUESTIONS: dict[str, tuple[str, Shows]] = {
    "orders": ("/api/v1/orders?limit=50", _shows_order),
    "order": ("/api/v1/orders/{written.order_id}", _is_order),
    "search": ("/api/v1/search?q={written.order_id}", _shows_order),
    "dashboard": ("/api/v1/dashboard", _counts_orders),
    "products": ("/api/v1/products?q={client.sku}", _lists_price),
    "product": ("/api/v1/products/{client.sku}", _has_price),
    "daily_revenue": ("/api/v1/analytics/daily-revenue?{days}&by=country", _counts_orders_of_country),
    "product_sales": ("/api/v1/analytics/product-sales?limit=200&order_by=orders", _counts_orders_of_product),
}
STAFF = ("daily_revenue", "product_sales")


def shows(client: Client, question: str, written: Written, answer: Answer) -> bool:
    """Say whether an answer shows the write; one that nothing is there does not."""
    return answer.status == 200 and QUESTIONS[question][1](client, written, answer.body)


def _path(client: Client, question: str, written: Written) -> str:
    today = datetime.now(UTC).date()
    days = f"from={today - timedelta(1)}&to={today + timedelta(1)}"
    return QUESTIONS[question][0].format(client=client, written=written, days=days)
