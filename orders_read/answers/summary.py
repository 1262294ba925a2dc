"""Compare the sums, series and lists of `summary.json` that a read model answers today.

Its scopes: S are all sales, K the sales to known customers, N is S less what was returned.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from .comparison import Comparison
from .facts import Facts, Order

MERCHANDISE = re.compile(r"[0-9]{5}[A-Za-z]*")
TOP = 20
# Not a matter of read models: what the source file holds, and what was refused on the way.
ELSEWHERE = {"dataset", "rules", "raw"}
REFUSED = ("rejected:", "orders that also had")

Answers = dict[str, Any]
Row = dict[str, Any]
Key = Callable[[Any], Any]


def compare_summary(expected: Mapping[str, Any], facts: Facts) -> list[Comparison]:
    """Compare every part of the summary."""
    parts: dict[str, Callable[[Facts], Answers]] = {
        "expected_command_counts": _commands, "S": _sales, "K": _sales_to_customers, "N": _net_sales,
        "cancellations": _credit_notes,
    }  # fmt: skip
    return [
        _compare(f"summary {name}", part, parts[name](facts) if name in parts else {})
        for name, part in expected.items()
        if name not in ELSEWHERE and isinstance(part, dict) and not name.startswith("tables_")
    ]


def _compare(name: str, expected: Any, found: Answers) -> Comparison:
    comparison = Comparison(name)
    for question, answer in expected.items():
        title = question.split(" [")[0]  # the names of columns stand behind the title
        if title in found:
            comparison.compare(title, answer, found[title])
        elif not title.startswith(REFUSED):
            comparison.unanswered.append(title)
    return comparison


def _commands(facts: Facts) -> Answers:
    total = facts.total
    return {"PlaceOrder (accepted)": total["orders"], "RecordCreditNote": total["credit_notes"]}


def _sales(facts: Facts) -> Answers:
    days, products = facts.revenue("day"), facts.products
    merchandise = [row for row in products if MERCHANDISE.fullmatch(row["sku"])]
    longest = max(facts.orders, key=lambda order: order.lines, default=None)
    return {
        **_totals(facts, facts.total["units"], facts.total["gross"]),
        **_series([(row["day"], row["orders"], row["gross"]) for row in days if row["orders"]]),
        "per_month": [(row["month"], row["orders"], row["gross"]) for row in facts.revenue("month")],
        "per_country": _countries(facts, "gross"),
        "top20_products_by_revenue": _top_products(products, "gross", "units"),
        "top20_products_by_quantity": _top_products(products, "gross", "units", by="units"),
        "top20_merchandise_by_revenue": _top_products(merchandise, "gross", "units"),
        "top20_merchandise_by_quantity": _top_products(merchandise, "gross", "units", by="units"),
        **_top_customers(facts),
        "top20_orders_by_total": [
            (order.reference, order.total)
            for order in _top(facts.orders, lambda order: order.total, lambda order: order.reference)
        ],
        "max_lines_in_one_order": (longest.reference, longest.lines) if longest else (),
    }


def _sales_to_customers(facts: Facts) -> Answers:
    orders = [order for order in facts.orders if order.customer_number]
    revenue = _sum(orders)
    days, months = _grouped(orders, lambda order: f"{order.placed_at:%Y-%m-%d}"), _grouped(orders, _month)
    countries = _grouped(orders, lambda order: order.country)
    per_country = [
        (name, len(group), sum(order.lines for order in group), _sum(group))
        for name, group in countries.items()
    ]
    return {
        "orders": len(orders),
        "lines": sum(order.lines for order in orders),
        "units": sum(order.units for order in orders),
        "revenue": revenue,
        "customers": len({order.customer_number for order in orders}),
        "guest_orders": 0,
        "average_order_value_2dp": _average(revenue, len(orders)),
        **_series([(day, len(group), _sum(group)) for day, group in days.items()]),
        "per_month": [(month, len(group), _sum(group)) for month, group in months.items()],
        "per_country": _top(per_country, lambda row: row[3], lambda row: row[0], len(per_country)),
        **_top_customers(facts),
    }


def _net_sales(facts: Facts) -> Answers:
    days = [row for row in facts.revenue("day") if row["orders"] or row["credit_notes"]]
    for row in facts.products:
        row["net_units"] = row["units"] - row["units_returned"] - row["units_cancelled"]
    merchandise = [row for row in facts.products if MERCHANDISE.fullmatch(row["sku"])]
    customers = _top(facts.customers, lambda one: one.spent - one.returned, lambda one: one.number)
    return {
        **_totals(facts, facts.total["units"] - facts.total["units_returned"], facts.total["net"]),
        **_series([(row["day"], row["orders"], row["net"]) for row in days]),
        "per_month": [(row["month"], row["orders"], row["net"]) for row in facts.revenue("month")],
        "per_country": _countries(facts, "net"),
        "top20_products_by_revenue": _top_products(facts.products, "net", "net_units"),
        "top20_products_by_quantity": _top_products(facts.products, "net", "net_units", by="net_units"),
        "top20_merchandise_by_revenue": _top_products(merchandise, "net", "net_units"),
        "top20_merchandise_by_quantity": _top_products(merchandise, "net", "net_units", by="net_units"),
        **_top_customers(facts),
        "top20_customers": [(one.number, one.orders, one.spent - one.returned) for one in customers],
    }


def _credit_notes(facts: Facts) -> Answers:
    total, months, countries = facts.total, facts.revenue("month"), facts.revenue("country")
    with_notes = [row for row in countries if row["credit_notes"]]
    by_value = _top(facts.products, lambda row: row["returned"], lambda row: row["sku"])
    by_units = _top(facts.products, lambda row: row["units_returned"], lambda row: row["sku"])
    return {
        "credit_notes": total["credit_notes"],
        "lines": total["lines_returned"],
        "units_returned": total["units_returned"],
        "value": -total["returned"],
        "customers_with_a_credit_note": sum(1 for customer in facts.customers if customer.credit_notes),
        "per_country": [
            (row["country"], row["credit_notes"], -row["returned"])
            for row in _top(
                with_notes, lambda row: row["returned"], lambda row: row["country"], len(with_notes)
            )
        ],
        "per_month": [(row["month"], row["credit_notes"], -row["returned"]) for row in months],
        "top20_products_by_returned_value": [
            (row["sku"], row["units_returned"], -row["returned"]) for row in by_value
        ],
        "top20_products_by_returned_units": [
            (row["sku"], row["units_returned"], -row["returned"]) for row in by_units
        ],
    }


def _totals(facts: Facts, units: int, revenue: Decimal) -> Answers:
    buyers = {order.customer_number for order in facts.orders if order.customer_number}
    return {
        "orders": facts.total["orders"],
        "lines": facts.total["lines"],
        "units": units,
        "revenue": revenue,
        "customers": len(buyers),
        "guest_orders": sum(1 for order in facts.orders if not order.customer_number),
        "skus": sum(1 for row in facts.products if row["lines"]),
        "average_order_value_2dp": _average(revenue, facts.total["orders"]),
    }


def _series(days: list[tuple[str, int, Decimal]]) -> Answers:
    return {
        "days_with_data": len(days),
        "per_day_first_30": days[:30],
        "per_day_last_30": days[-30:],
        "per_day_sum": sum(amount for _, _, amount in days),
    }


def _countries(facts: Facts, value: str) -> list[tuple[Any, ...]]:
    rows = [row for row in facts.revenue("country") if row["orders"]]
    ordered = _top(rows, lambda row: row[value], lambda row: row["country"], len(rows))
    return [(row["country"], row["orders"], row["lines"], row[value]) for row in ordered]


def _top_products(
    rows: Iterable[Row], revenue: str, units: str, by: str | None = None
) -> list[tuple[Any, ...]]:
    ordered = _top(rows, lambda row: row[by or revenue], lambda row: row["sku"])
    return [(row["sku"], row["name"], row["orders"], row[units], row[revenue]) for row in ordered]


def _top_customers(facts: Facts) -> Answers:
    by_revenue = _top(facts.customers, lambda one: one.spent, lambda one: one.number)
    by_orders = _top(facts.customers, lambda one: one.orders, lambda one: one.number)
    return {
        "top20_customers": [(one.number, one.orders, one.spent) for one in by_revenue],
        "top20_customers_by_orders": [(one.number, one.orders) for one in by_orders],
    }


def _top(rows: Iterable[Any], value: Key, key: Key, count: int = TOP) -> list[Any]:
    """Return the rows of the greatest values; equal ones in the order of their keys."""
    return sorted(rows, key=lambda row: (-value(row), key(row)))[:count]


def _grouped(orders: Iterable[Order], key: Callable[[Order], str]) -> dict[str, list[Order]]:
    groups: defaultdict[str, list[Order]] = defaultdict(list)
    for order in orders:
        groups[key(order)].append(order)
    return dict(sorted(groups.items()))


def _month(order: Order) -> str:
    return f"{order.placed_at:%Y-%m}"


def _sum(orders: Iterable[Order]) -> Decimal:
    return sum((order.total for order in orders), Decimal(0))


def _average(revenue: Decimal, orders: int) -> Decimal:
    return (revenue / orders).quantize(Decimal("0.01")) if orders else Decimal(0)
