"""The door of the read side: every question is one function, one statement, on `read_*` only.

Two of them are answered by the store that `READ_STORES` names for their read model, in the same words.

An answer is JSON text that PostgreSQL built, ready for a response: money is a string of four decimals, ids are
strings, times are UTC. `user_id` None is everybody's, for staff; otherwise only this customer's rows are seen. Lists
are paged by an opaque cursor: `next` of one page is `after` of the following one, null on the last.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from django.db import connection
from psycopg.sql import quote

from orders_write.events import Status

from .answering import ask
from .stores.choice import answer, chosen

SQL = Path(__file__).resolve().parent / "sql" / "queries"
ROWS_AT_ONCE = 2_000


class InvalidQuestion(ValueError):
    """The question cannot be answered as it was put."""


class InvalidCursor(InvalidQuestion):
    """This cursor was not given by a page of this list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilters:
    """Which orders are wanted; what is left out does not matter. Days are UTC, and both ends belong to the range.

    `q` are words that an order must hold all of; the last one may be the beginning of a word.
    """

    statuses: tuple[str, ...] = ()
    country: str | None = None
    customer_number: str | None = None
    placed_from: date | None = None
    placed_to: date | None = None
    total_min: Decimal | None = None
    total_max: Decimal | None = None
    q: str | None = None


def order_details(order_id: int, *, user_id: int | None = None) -> str | None:
    """Answer one order with its timeline; None when there is none or it is another customer's."""
    return answer("order_details", order_id, user_id)


ORDER_COLUMNS = """
    order_id, user_id, source, reference, status, customer_number, customer_name, country, currency, placed_at,
    total, paid, returned, open_amount, units, lines, first_item, version"""
NEWEST_FIRST = "ORDER BY placed_at DESC, order_id DESC LIMIT %(limit)s + 1"


def orders(
    *,
    user_id: int | None = None,
    filters: OrderFilters = OrderFilters(),
    after: str | None = None,
    limit: int = 50,
) -> str:
    """Answer `{"results": [order, …], "next"}`, newest first."""
    conditions, parameters = _order_conditions(user_id, filters, after)
    found = " UNION ALL ".join(
        f"({_newest([*conditions, *status])} {NEWEST_FIRST})"
        for status in _status_conditions(filters.statuses)
    )
    return _answer(_sql("orders_page", found=found), parameters | {"limit": limit})


HOLDS = """words @@ (replace(nullif(btrim(regexp_replace(
    lower({literal}), '[^[:alnum:]]+', ' ', 'g')), ''), ' ', ' & ') || ':*')::tsquery"""
EXACT = "(order_id = %(number)s OR reference = %(text)s)"
NOT_EXACT = "order_id <> %(number)s AND reference IS DISTINCT FROM %(text)s"


def search(q: str, *, user_id: int | None = None, after: str | None = None, limit: int = 20) -> str:
    """Answer like `orders`: first the order with this id or reference, then those that hold all words, newest first."""
    conditions, parameters = _order_conditions(user_id, OrderFilters(q=q), after)
    hits = f"({_newest([*conditions, NOT_EXACT])} {NEWEST_FIRST})"
    if not after:
        hits = f"({_newest([*_own(user_id), EXACT], exact=True)} {NEWEST_FIRST}) UNION ALL {hits}"
    text = q.strip()
    number = int(text) if re.fullmatch(r"[0-9]{1,18}", text) else -1
    parameters |= {"limit": limit, "text": text, "number": number}
    return _answer(_sql("orders_page", found=hits), parameters)


def user_dashboard(user_id: int) -> str:
    """Answer how a customer stands with us; zeros for one of whom no event tells yet."""
    text = answer("user_dashboard", user_id)
    assert text is not None, "there is an answer for every user"
    return text


REVENUE_KEYS = {
    "day": "day",
    "month": "to_char(day, 'YYYY-MM')",
    "category": "category",
    "country": "country",
}
COUNTS = "'orders', orders, 'credit_notes', credit_notes, 'cancellations', cancellations,"
AMOUNTS = """'lines', lines, 'units', units, 'gross', gross::text, 'lines_returned', lines_returned,
    'units_returned', units_returned, 'returned', returned::text, 'units_cancelled', units_cancelled,
    'cancelled', cancelled::text, 'net', (gross - returned - cancelled)::text"""


def daily_revenue(start: date, end: date, *, by: str = "day") -> str:
    """Answer `{"from", "to", "by", "results": [{<by>: key, …}], "total"}` from `start` to `end`, both included.

    `by` is day, month, category or country; days and months come in order, the others by gross revenue. Only what had
    events is listed. A category has no count of orders: an order may have several.
    """
    if by not in REVENUE_KEYS:
        raise InvalidQuestion(f"Revenue is known by {', '.join(REVENUE_KEYS)}, not by {by}.")
    statement = _sql(
        "daily_revenue",
        key=by,
        revenue_key=REVENUE_KEYS[by],
        orders_key="NULL" if by == "category" else REVENUE_KEYS[by],
        counts="" if by == "category" else COUNTS,
        all_counts=COUNTS,
        amounts=AMOUNTS,
        order="key" if by in ("day", "month") else "gross DESC, key",
    )
    return _answer(statement, {"start": start, "end": end})


SALES_ORDERS = ("gross", "net", "units", "orders", "lines", "returned", "units_returned", "cancelled")


def product_sales(*, order_by: str = "gross", after: str | None = None, limit: int = 50) -> str:
    """Answer `{"results": [what one SKU sold, …], "next"}`, the greatest first; `order_by` is one of SALES_ORDERS."""
    if order_by not in SALES_ORDERS:
        raise InvalidQuestion(f"Products can be ordered by {', '.join(SALES_ORDERS)}, not by {order_by}.")
    value, sku = _sales_cursor(after)
    behind = "value < %(value)s OR value = %(value)s AND sku > %(sku)s" if after else "true"
    statement = _sql("product_sales", value=order_by, after=behind)
    return _answer(statement, {"value": value, "sku": sku, "limit": limit})


def shop_overview() -> str:
    """Answer the shop at a glance, as of its last refresh: `as_of`, `age_seconds` and the log's `position` then.

    `periods` are today, last_7_days and last_30_days by the UTC day of that moment, always, and the
    last_day_with_orders where there was one.
    """
    return _answer(_sql("shop_overview"), {})


PRODUCT = """json_build_object('sku', sku, 'product_id', product_id::text, 'name', name, 'category', category,
    'price', round(price, 4)::text, 'retired', retired, 'available', available, 'version', version)"""


def product_catalogue(
    *,
    q: str = "",
    skus: Sequence[str] | None = None,
    include_retired: bool = False,
    after: str | None = None,
    limit: int = 50,
) -> str:
    """Answer `{"results": [product, …], "next"}` in the order of SKUs; SKU and name hold all words of `q`."""
    conditions, parameters = ["price IS NOT NULL"], {"skus": list(skus or ()), "after": after, "limit": limit}
    for number, word in enumerate(q.lower().split()):
        conditions.append(f"lower(sku || ' ' || name) LIKE %(word{number})s")
        parameters[f"word{number}"] = "%" + re.sub(r"([\\%_])", r"\\\1", word) + "%"
    if skus is not None:
        conditions.append("sku = ANY(%(skus)s::text[])")
    if not include_retired:
        conditions.append("NOT retired")
    if after:
        conditions.append("sku > %(after)s")
    return _answer(
        _sql("product_catalogue", conditions=" AND ".join(conditions), product=PRODUCT), parameters
    )


def product(sku: str) -> str | None:
    """Answer one product, retired or not; None when the catalogue never had it."""
    statement = (
        f"SELECT {PRODUCT}::text FROM read_product_catalogue WHERE sku = %(sku)s AND price IS NOT NULL"
    )
    return ask(statement, {"sku": sku})


ORDER_TOTALS = """
SELECT reference, placed_at, customer_number, country, lines, units, total
  FROM read_order_search WHERE source = %(source)s ORDER BY order_id
"""
CUSTOMER_TOTALS = """
SELECT customer_number, orders, lines, units, spent, first_order_at, last_order_at, last_order_reference,
       credit_notes, returned
  FROM read_user_dashboard WHERE customer_number IS NOT NULL ORDER BY user_id
"""
CUSTOMERS = "SELECT user_id FROM read_user_dashboard WHERE customer_number IS NOT NULL ORDER BY user_id"
OTHER_SALES = """
SELECT line ->> 'sku', count(DISTINCT order_id), count(*), sum((line ->> 'qty')::bigint),
       sum((line ->> 'amount')::numeric),
       coalesce(sum((line ->> 'qty')::bigint - (line ->> 'returned')::bigint)
                FILTER (WHERE document ->> 'status' = 'cancelled'), 0),
       coalesce(sum(((line ->> 'qty')::bigint - (line ->> 'returned')::bigint) * (line ->> 'price')::numeric)
                FILTER (WHERE document ->> 'status' = 'cancelled'), 0)
  FROM read_order_details CROSS JOIN jsonb_array_elements(document -> 'lines') AS line
 WHERE document ->> 'source' <> %(source)s GROUP BY 1
"""
OTHER_PURCHASES = """
SELECT customer_number, count(*), sum(lines), sum(units), sum(total)
  FROM read_order_search WHERE source <> %(source)s AND customer_number IS NOT NULL GROUP BY 1
"""
COUNTRY_DAYS = """
SELECT day, country, sum(orders), sum(lines), sum(units), sum(gross)
  FROM (SELECT day, country, 0 AS orders, lines, units, gross FROM read_daily_revenue
        UNION ALL
        SELECT day, country, orders, 0, 0, 0 FROM read_daily_orders) AS figures
 WHERE day BETWEEN %(start)s AND %(end)s
 GROUP BY day, country ORDER BY day, country
"""


def order_totals(source: str) -> Iterator[tuple[Any, ...]]:
    """Yield (reference, placed_at, customer_number, country, lines, units, total) of every order of a source."""
    return _rows(ORDER_TOTALS, {"source": source})


def customer_totals() -> Iterator[tuple[Any, ...]]:
    """Yield every customer who has a number.

    A row is (customer_number, orders, lines, units, spent, first_order_at, last_order_at, last_order_reference,
    credit_notes, returned).
    """
    return _dashboards() if chosen("user_dashboard") else _rows(CUSTOMER_TOTALS, {})


def _dashboards() -> Iterator[tuple[Any, ...]]:
    """Read every customer's dashboard where customers are shown it from, if that is not PostgreSQL."""
    for (user_id,) in list(_rows(CUSTOMERS, {})):
        one = orjson.loads(user_dashboard(user_id))
        first, last = (
            datetime.fromisoformat(one[name]) if one[name] else None
            for name in ("first_order_at", "last_order_at")
        )
        spent, returned = Decimal(one["spent"]), Decimal(one["returned"])
        counts = one["customer_number"], one["orders"], one["lines"], one["units"]
        yield *counts, spent, first, last, one["last_order_reference"], one["credit_notes"], returned


def other_sales(source: str) -> Iterator[tuple[Any, ...]]:
    """Yield what orders of any other source sold; reads every order.

    A row is (sku, orders, lines, units, gross, units_cancelled, cancelled).
    """
    return _rows(OTHER_SALES, {"source": source})


def other_purchases(source: str) -> Iterator[tuple[Any, ...]]:
    """Yield (customer_number, orders, lines, units, spent) of what customers bought by orders of any other source."""
    return _rows(OTHER_PURCHASES, {"source": source})


def country_days(start: date, end: date) -> Iterator[tuple[Any, ...]]:
    """Yield (day, country, orders, lines, units, gross) for the days from `start` to `end`, both included."""
    return _rows(COUNTRY_DAYS, {"start": start, "end": end})


def _order_conditions(
    user_id: int | None, filters: OrderFilters, after: str | None
) -> tuple[list[str], dict[str, Any]]:
    """Return the conditions that all rows of a list fulfil, but for the status, and their parameters."""
    wanted = {
        "country": ("country = %(country)s", filters.country),
        "customer_number": ("customer_number = %(customer_number)s", filters.customer_number),
        "placed_from": ("placed_at >= %(placed_from)s", _midnight(filters.placed_from)),
        "placed_before": ("placed_at < %(placed_before)s", _midnight(filters.placed_to, days=1)),
        "total_min": ("total >= %(total_min)s", filters.total_min),
        "total_max": ("total <= %(total_max)s", filters.total_max),
    }
    parameters: dict[str, Any] = {name: value for name, (_, value) in wanted.items() if value is not None}
    conditions = [*_own(user_id), *(wanted[name][0] for name in parameters)]
    if filters.q is not None:
        conditions.append(_holds(filters.q))
    if after:
        conditions.append("(placed_at, order_id) < (%(after_placed_at)s, %(after_order_id)s)")
        parameters["after_placed_at"], parameters["after_order_id"] = _order_cursor(after)
    return conditions, parameters | {"user_id": user_id}


def _newest(conditions: list[str], *, exact: bool = False) -> str:
    wanted = " AND ".join(conditions) or "true"
    return f"SELECT {ORDER_COLUMNS}, {exact} AS exact FROM read_order_search WHERE {wanted}"


def _status_conditions(statuses: tuple[str, ...]) -> list[list[str]]:
    """Return a condition for each status, since one index scan over several would have to sort all that it finds.

    A status is a literal, for the reason that words are.
    """
    if unknown := set(statuses) - set(Status):
        raise InvalidQuestion(f"No order has the status {', '.join(sorted(unknown))}.")
    return [[f"status = '{status}'"] for status in sorted(set(statuses))] or [[]]


def _own(user_id: int | None) -> list[str]:
    return [] if user_id is None else ["user_id = %(user_id)s"]


def _holds(q: str) -> str:
    """Write the condition that an order holds all words of `q`, taken apart as the fold does, the last as a beginning.

    It stands in the statement as a literal: for a parameter, a prepared plan would not know how rare the words are.
    """
    literal = quote(q.replace("\0", " ")).replace("%", "%%")
    return HOLDS.replace("{literal}", literal)


def _midnight(day: date | None, days: int = 0) -> datetime | None:
    if day is None:
        return None
    try:
        return datetime.combine(day + timedelta(days), time.min, UTC)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def _order_cursor(after: str) -> tuple[datetime, int]:
    """Read `<microseconds since 1970>-<order id>`."""
    match = re.fullmatch(r"(-?[0-9]{1,18})-([0-9]{1,18})", after)
    try:
        assert match
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(match[1])), int(match[2])
    except (AssertionError, OverflowError) as error:
        raise InvalidCursor(after) from error


def _sales_cursor(after: str | None) -> tuple[Decimal, str]:
    """Read `<value>~<sku>`."""
    if not after:
        return Decimal(0), ""
    match = re.fullmatch(r"(-?[0-9]{1,30}(?:\.[0-9]{1,10})?)~(.+)", after, re.DOTALL)
    if not match:
        raise InvalidCursor(after)
    return Decimal(match[1]), match[2]


@cache
def _template(name: str) -> str:
    return (SQL / f"{name}.sql").read_text(encoding="utf-8")


def _sql(name: str, **parts: str) -> str:
    statement = _template(name)
    for part, text in parts.items():
        statement = statement.replace(f"{{{part}}}", text)
    return statement


def _answer(statement: str, parameters: Mapping[str, Any]) -> str:
    text = ask(statement, parameters)
    assert text is not None, "an aggregate always answers one row"
    return text


def _rows(statement: str, parameters: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Stream rows, so that any number of them fits into memory."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement, parameters)
        while rows := cursor.fetchmany(ROWS_AT_ONCE):
            yield from rows
