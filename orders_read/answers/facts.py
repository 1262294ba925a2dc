"""What the read models say about the time and the source that the answers are about."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple

from .. import queries


class Order(NamedTuple):
    """An order, as a list shows it."""

    reference: str
    placed_at: datetime
    customer_number: str | None
    country: str
    lines: int
    units: int
    total: Decimal


class Customer(NamedTuple):
    """A customer's dashboard."""

    number: str
    orders: int
    lines: int
    units: int
    spent: Decimal
    first_order_at: datetime | None
    last_order_at: datetime | None
    last_order: str | None
    credit_notes: int
    returned: Decimal


@dataclass(frozen=True)
class Facts:
    """Orders of one source; days from `start` to `end`; customers and products over all time."""

    source: str
    start: date
    end: date

    @cached_property
    def orders(self) -> list[Order]:
        """Every order of the source, in the order of their placing."""
        return [Order(*row) for row in queries.order_totals(self.source)]

    @cached_property
    def customers(self) -> list[Customer]:
        """Every customer with a number and an order or a credit note."""
        customers = (Customer(*row) for row in queries.customer_totals())
        return [customer for customer in customers if customer.orders or customer.credit_notes]

    @cached_property
    def products(self) -> list[dict[str, Any]]:
        """What each SKU sold; money as Decimal."""
        return list(_products())

    @cached_property
    def total(self) -> dict[str, Any]:
        """The sums over all days."""
        return _exact(json.loads(queries.daily_revenue(self.start, self.end, by="month"))["total"])

    def revenue(self, by: str) -> list[dict[str, Any]]:
        """Return revenue by day, month or country; money as Decimal."""
        return [
            _exact(row) for row in json.loads(queries.daily_revenue(self.start, self.end, by=by))["results"]
        ]


def _products() -> Iterator[dict[str, Any]]:
    after: str | None = None
    while True:
        page = json.loads(queries.product_sales(after=after, limit=1_000))
        yield from (_exact(row) for row in page["results"])
        after = page["next"]
        if after is None:
            return


def _exact(row: dict[str, Any]) -> dict[str, Any]:
    money = {"gross", "returned", "cancelled", "net"}
    return {name: Decimal(value) if name in money else value for name, value in row.items()}
