"""What imports cannot see: which tables a question touches. Every query is one statement, on `read_*` only."""

import inspect
import re
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import pytest
from django.conf import settings
from django.db import connection
from django.urls import resolve

from orders_read import queries
from orders_read.queries import OrderFilters
from orders_read.standing import STANDING
from orders_write.models import User
from outbox import epoch, history
from outbox.delivery import drain
from outbox.subscribers import projections
from tests.clients import client_of, staff
from tests.orders_write.api_shop import MUGS
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
    (queries.shop_overview, {}),
    (queries.order_totals, {"source": "shop"}),
    (queries.customer_totals, {}),
    (queries.country_days, {"start": DAYS[0], "end": DAYS[1]}),
    (queries.other_sales, {"source": "shop"}),
    (queries.other_purchases, {"source": "shop"}),
]

WHO_ASKS = {
    "authtoken_token", "users", "django_session", "auth_group", "auth_group_permissions", "auth_permission",
    "django_content_type", "users_groups", "users_user_permissions",
}  # fmt: skip
# How far the read models have come: noted by each query in its own statement, for the answer's consistency token.
POSITIONS = {"checkpoints", "projection_generations"}
# What the one statement in front of them looks at: also events by position and by message, messages, what is held.
OF_STANDING = POSITIONS | {"event_log", "outbox", "dead_letters", "paused_subscribers"}
# Once for a connection, and then every few seconds.
OF_EPOCH = {epoch.KNOWN, epoch.CURRENT, epoch.RENEW}
TABLES = {f"read_{table.name}": each.name for each in projections() for table in each.tables}
TABLES |= {f"read_{name}": name for name in settings.READ_VIEWS}
API = [
    "orders", "orders?q=mug&status=paid", "orders/{order_id}", "search?q=mug", "dashboard", "products", "products/mug",
    "analytics/daily-revenue?from=2026-01-01&to=2026-12-31", "analytics/product-sales", "overview",
]  # fmt: skip
PAGES = [
    "",
    "dashboard/",
    "orders/",
    "orders/{order_id}/",
    "orders/new/?q=mug",
    "products/",
    "revenue/",
    "overview/",
]

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def order_id(database):
    list_products("mug")
    order = place(customer("ada"))
    drain()
    return order.order_id


@dataclass(frozen=True)
class Statement:
    """What was sent, and the tables that it would touch."""

    sql: str
    tables: set[str]

    @property
    def read_models(self):
        """The projections whose tables it would touch."""
        return {TABLES[re.sub(r"_g[0-9]+$", "", table)] for table in self.tables if table.startswith("read_")}

    @property
    def others(self):
        return {table for table in self.tables if not table.startswith("read_")}


@contextmanager
def audited():
    """Note the statements that are sent."""
    statements = []

    def note(execute, sql, parameters, many, context):
        if not sql.startswith(("BEGIN", "SAVEPOINT", "RELEASE", "SET ", "EXPLAIN")):
            statements.append(Statement(sql, _tables(sql, parameters)))
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(note):
        yield statements


def _tables(sql, parameters):
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (VERBOSE) {sql}", parameters)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    return {re.sub(r"_p[0-9]+$", "", name) for name in re.findall(r" on public\.(\w+)", plan)}


@pytest.mark.parametrize(("question", "arguments"), QUESTIONS)
def test_a_query_is_one_statement_on_read_models_only(order_id, question, arguments):
    with audited() as statements:
        answer = question(**arguments)
        if inspect.isgenerator(answer):
            list(answer)

    (statement,) = statements
    assert statement.tables
    assert all(
        re.fullmatch(r"read_\w+_g[0-9]+(_\w+)?|read_shop_overview", table) for table in statement.tables
    ), statement


def test_every_query_is_audited():
    public = {
        function
        for name, function in inspect.getmembers(queries, inspect.isfunction)
        if function.__module__ == queries.__name__ and not name.startswith("_")
    }

    assert public == {question for question, _ in QUESTIONS}


def assert_reads_only(statements, declared):
    """Check that a request looked once where exactly its read models stand, before it asked any of them."""
    asked = [statement for statement in statements if statement.read_models and statement.sql != STANDING]
    looks = [statement for statement in statements if statement.sql == STANDING]
    assert set().union(*(statement.read_models for statement in asked)) == set(declared)
    assert all(statement.others == POSITIONS for statement in asked), asked
    assert [statement.others for statement in looks] == [OF_STANDING]
    assert statements.index(looks[0]) < min(map(statements.index, asked))
    for statement in statements:
        if statement not in asked and statement not in looks:
            assert statement.tables <= WHO_ASKS or statement.sql in OF_EPOCH, statement


@pytest.mark.parametrize("path", [f"/api/v1/{path}" for path in API])
def test_a_question_asks_once_where_its_read_model_stands_and_once_for_the_answer(order_id, path):
    path = path.format(order_id=order_id)
    client = staff()

    with audited() as statements:
        response = client.get(path)

    assert response.status_code == 200
    assert_reads_only(statements, resolve(path.partition("?")[0]).func.view_class.read_models)
    assert sum(bool(each.read_models) for each in statements if each.sql != STANDING) == 1


@pytest.mark.parametrize("path", [f"/{path}" for path in PAGES])
def test_a_page_touches_the_read_models_that_it_names_and_who_asks_only(order_id, path):
    client = staff()
    client.force_login(User.objects.get(pk=client.user_id))
    place(client.user_id)  # so that the form of a new order finds a last address
    drain()
    client.post("/orders/new/draft/", {"add": "mug"})

    with audited() as statements:
        response = client.get(path.format(order_id=order_id))

    assert response.status_code == 200
    assert_reads_only(statements, response.wsgi_request.reading.read_models)


def test_a_get_of_a_customer_touches_nothing_else_either(order_id):
    client = client_of(User.objects.get(username="ada").pk)

    with audited() as statements:
        client.get(f"/api/v1/orders/{order_id}")

    assert_reads_only(statements, ["order_details"])


def test_a_token_that_is_reached_costs_no_statement_more(order_id):
    client = client_of(User.objects.get(username="ada").pk)
    token = client.get("/api/v1/orders")["Consistency-Token"]

    with audited() as statements:
        response = client.get("/api/v1/orders", HTTP_CONSISTENCY_TOKEN=token)

    assert response.status_code == 200
    assert_reads_only(statements, ["order_search"])


def test_a_token_that_is_not_reached_costs_few_statements_more(order_id):
    client = client_of(User.objects.get(username="ada").pk)
    token = client.post("/api/v1/orders", MUGS)["Consistency-Token"]

    with audited() as statements:
        response = client.get("/api/v1/orders", HTTP_CONSISTENCY_TOKEN=token, HTTP_PREFER="wait=0")

    assert response.status_code == 503
    others = [one for one in statements if one.sql != STANDING and not one.tables <= WHO_ASKS]
    others = [one for one in others if one.sql not in OF_EPOCH]
    assert {one.sql for one in others} == {history.POSITION_OF, history.IS_FUTURE}
    assert set().union(*(one.tables for one in others)) <= {"event_log"}


def test_the_audit_sees_a_write_table(order_id):
    with audited() as statements, connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM orders WHERE order_id = %s", [order_id])

    assert statements[0].tables == {"orders"}
