"""What the read models say about the time and the source that the answers are about."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple

from .. import queries

NOTHING = (0, 0, 0, Decimal(0), 0, Decimal(0))


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
    """What one source brought, from `start` to `end`.

    An order that somebody places in the same shop does not change an answer: it is left out of products and customers,
    and so are customers of whom the source's orders know nothing and who have no credit note.
    """

    source: str
    start: date
    end: date

    @cached_property
    def orders(self) -> list[Order]:
        """Every order of the source, in the order of their placing."""
        return [Order(*row) for row in queries.order_totals(self.source)]

    @cached_property
    def customers(self) -> list[Customer]:
        """Every customer with a number and an order of the source or a credit note."""
        others = {number: bought for number, *bought in queries.other_purchases(self.source)}
        orders: dict[str | None, list[Order]] = {}
        for order in self.orders:
            orders.setdefault(order.customer_number, []).append(order)
        customers = (Customer(*row) for row in queries.customer_totals())
        return [
            _without(customer, others[customer.number], orders.get(customer.number, []))
            if customer.number in others
            else customer
            for customer in customers
            if customer.number in orders or customer.credit_notes
        ]

    @cached_property
    def products(self) -> list[dict[str, Any]]:
        """What each SKU sold; money as Decimal."""
        others = {sku: sold for sku, *sold in queries.other_sales(self.source)}
        products = [_less(row, others.get(row["sku"], NOTHING)) for row in _products()]
        return [row for row in products if row["lines"] or row["units_returned"]]

    @cached_property
    def total(self) -> dict[str, Any]:
        """The sums over all days."""
        return _exact(json.loads(queries.daily_revenue(self.start, self.end, by="month"))["total"])

    def revenue(self, by: str) -> list[dict[str, Any]]:
        """Return revenue by day, month or country; money as Decimal."""
        return [
            _exact(row) for row in json.loads(queries.daily_revenue(self.start, self.end, by=by))["results"]
        ]


def _without(customer: Customer, bought: Sequence[Any], own: Sequence[Order]) -> Customer:
    """Take what a customer bought elsewhere off; first and last order are those of the source."""
    orders, lines, units, spent = bought
    own = sorted(own, key=lambda order: order.placed_at)
    return customer._replace(
        orders=customer.orders - orders,
        lines=customer.lines - lines,
        units=customer.units - units,
        spent=customer.spent - spent,
        first_order_at=own[0].placed_at if own else None,
        last_order_at=own[-1].placed_at if own else None,
        last_order=own[-1].reference if own else None,
    )


def _less(row: dict[str, Any], sold: Sequence[Any]) -> dict[str, Any]:
    orders, lines, units, gross, units_cancelled, cancelled = sold
    return row | {
        "orders": row["orders"] - orders,
        "lines": row["lines"] - lines,
        "units": row["units"] - units,
        "gross": row["gross"] - gross,
        "units_cancelled": row["units_cancelled"] - units_cancelled,
        "cancelled": row["cancelled"] - cancelled,
        "net": row["net"] - gross + cancelled,
    }


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
