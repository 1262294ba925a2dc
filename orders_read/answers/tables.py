"""Compare the tables of answers: orders, customers, products, days, days by country."""

from datetime import datetime
from pathlib import Path
from typing import Any

from .. import queries
from . import files
from .comparison import Comparison, compare_rows
from .facts import Facts


def compare_orders(folder: Path, facts: Facts) -> Comparison:
    """Compare every order of the source."""
    columns = "placed_at customer_id country lines units total"
    found = {
        order.reference: (
            _moment(order.placed_at), order.customer_number or "", order.country, order.lines, order.units, order.total
        )
        for order in facts.orders
    }  # fmt: skip
    return compare_rows("orders", _expected(folder, "orders", "order_id", columns), found)


def compare_customers(folder: Path, facts: Facts) -> Comparison:
    """Compare every customer who has ordered or got a credit note."""
    columns = (
        "orders lines units revenue_K first_order_at last_order_at last_order_id credit_notes cancelled_value"
    )
    found = {
        customer.number: (
            customer.orders, customer.lines, customer.units, customer.spent, _moment(customer.first_order_at),
            _moment(customer.last_order_at), customer.last_order or "", customer.credit_notes, -customer.returned,
        )
        for customer in facts.customers
    }  # fmt: skip
    return compare_rows("customers", _expected(folder, "customers", "customer_id", columns), found)


def compare_products(folder: Path, facts: Facts) -> Comparison:
    """Compare every SKU, those included of which nothing was sold but something came back."""
    columns = "orders lines units revenue_S units_returned cancelled_value"
    found = {
        row["sku"]: (
            row["orders"],
            row["lines"],
            row["units"],
            row["gross"],
            row["units_returned"],
            -row["returned"],
        )
        for row in facts.products
    }
    return compare_rows("products", _expected(folder, "products", "sku", columns), found)


def compare_days(folder: Path, facts: Facts) -> Comparison:
    """Compare every day."""
    columns = "orders lines units revenue_S credit_notes cancelled_value revenue_N"
    found = {
        row["day"]: (
            row["orders"], row["lines"], row["units"], row["gross"], row["credit_notes"], -row["returned"], row["net"]
        )
        for row in facts.revenue("day")
    }  # fmt: skip
    return compare_rows("daily", _expected(folder, "daily", "date", columns), found)


def compare_country_days(folder: Path, facts: Facts) -> Comparison:
    """Compare every day and country in which something was sold."""
    expected = {
        (row["date"], row["country"]): tuple(row[name] for name in ("orders", "lines", "units", "revenue"))
        for row in files.table(folder, "daily_by_country", "date country orders lines units revenue")
    }
    found = {
        (day.isoformat(), country): (orders, lines, units, gross)
        for day, country, orders, lines, units, gross in queries.country_days(facts.start, facts.end)
        if orders
    }
    return compare_rows("daily_by_country", expected, found)


def _expected(folder: Path, name: str, key: str, columns: str) -> dict[str, tuple[str, ...]]:
    rows = files.table(folder, name, f"{key} {columns}")
    return {row[key]: tuple(row[column] for column in columns.split()) for row in rows}


def _moment(moment: datetime | None) -> Any:
    """Write a moment as the answers do."""
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment else ""
