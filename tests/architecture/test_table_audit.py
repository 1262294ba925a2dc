"""What imports cannot see: which tables a question touches. Every query is one statement, on `read_*` only."""

import inspect
import re
from contextlib import contextmanager
from datetime import date

import pytest
from django.db import connection

from orders_read import queries
from orders_read.queries import OrderFilters
from orders_write.models import User
from outbox.delivery import drain
from tests.clients import client_of, staff
from tests.orders_write.shop import customer, list_products, place

DAYS = (date(2026, 1, 1), date(2026, 12, 31))
ALL_FILTERS = OrderFilters(
    statuses=("paid", "confirmed"), country="France", customer_number="N-ada", placed_from=DAYS[0],
    placed_to=DAYS[1], total_min=1, total_max=9, q="mug 50%",
)  # fmt: skip

QUESTIONS = [
    (queries.order_details, {"order_id": 1, "user_id": 1}),
    (queries.orders, {}),
    (queries.orders, {"user_id": 1, "filters": ALL_FILTERS, "after": "1-1", "limit": 2}),
    (queries.search, {"q": "mug"}),
    (queries.search, {"q": "536365", "user_id": 1, "after": "1-1", "limit": 2}),
    (queries.user_dashboard, {"user_id": 1}),
    *((queries.daily_revenue, {"start": DAYS[0], "end": DAYS[1], "by": by}) for by in queries.REVENUE_KEYS),
    *((queries.product_sales, {"order_by": by, "after": "1~a"}) for by in queries.SALES_ORDERS),
    (
        queries.product_catalogue,
        {"q": "mug", "skus": ["mug"], "include_retired": True, "after": "a", "limit": 1},
    ),
    (queries.product, {"sku": "mug"}),
    (queries.order_totals, {"source": "shop"}),
    (queries.customer_totals, {}),
    (queries.country_days, {"start": DAYS[0], "end": DAYS[1]}),
    (queries.other_sales, {"source": "shop"}),
    (queries.other_purchases, {"source": "shop"}),
]

# Beside read models, a request may look at who asks, and at how far the read models have come.
# Who asks and what they may, and how far the read models have come.
OF_A_REQUEST = {
    "authtoken_token", "users", "django_session", "auth_group", "auth_group_permissions", "auth_permission",
    "django_content_type", "users_groups", "users_user_permissions",
    "checkpoints", "projection_generations", "event_log", "log_epoch",
}  # fmt: skip
API = [
    "orders", "orders?q=mug&status=paid", "orders/{order_id}", "search?q=mug", "dashboard", "products", "products/mug",
    "analytics/daily-revenue?from=2026-01-01&to=2026-12-31", "analytics/product-sales",
]  # fmt: skip
PAGES = ["", "dashboard/", "orders/", "orders/{order_id}/", "orders/new/?q=mug", "products/", "revenue/"]

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def order_id(database):
    list_products("mug")
    order = place(customer("ada"))
    drain()
    return order.order_id


@contextmanager
def audited():
    """Note the statements that are sent and the tables that each would touch."""
    statements, tables = [], set()

    def note(execute, sql, parameters, many, context):
        if not sql.startswith(("BEGIN", "SAVEPOINT", "RELEASE", "SET ", "EXPLAIN")):
            statements.append(sql)
            tables.update(_tables(sql, parameters))
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(note):
        yield statements, tables


def _tables(sql, parameters):
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (VERBOSE) {sql}", parameters)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    return set(re.findall(r" on public\.(\w+)", plan))


@pytest.mark.parametrize(("question", "arguments"), QUESTIONS)
def test_a_query_is_one_statement_on_read_models_only(order_id, question, arguments):
    with audited() as (statements, tables):
        answer = question(**arguments)
        if inspect.isgenerator(answer):
            list(answer)

    assert len(statements) == 1
    assert tables
    assert all(re.fullmatch(r"read_\w+_g[0-9]+(_\w+)?", table) for table in tables), tables


def test_every_query_is_audited():
    public = {
        function
        for name, function in inspect.getmembers(queries, inspect.isfunction)
        if function.__module__ == queries.__name__ and not name.startswith("_")
    }

    assert public == {question for question, _ in QUESTIONS}


@pytest.mark.parametrize("path", [f"/api/v1/{path}" for path in API] + [f"/{path}" for path in PAGES])
def test_a_get_touches_read_models_and_who_asks_only(order_id, path):
    client = staff()
    client.force_login(User.objects.get(pk=client.user_id))

    with audited() as (_, tables):
        response = client.get(path.format(order_id=order_id))

    assert response.status_code == 200
    assert {table for table in tables if not table.startswith("read_")} <= OF_A_REQUEST


def test_a_get_of_a_customer_touches_nothing_else_either(order_id):
    client = client_of(User.objects.get(username="ada").pk)

    with audited() as (_, tables):
        client.get(f"/api/v1/orders/{order_id}")

    assert {table for table in tables if not table.startswith("read_")} <= OF_A_REQUEST


def test_the_audit_sees_a_write_table(order_id):
    with audited() as (_, tables), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM orders WHERE order_id = %s", [order_id])

    assert tables == {"orders"}
