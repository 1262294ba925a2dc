"""The shop at a glance: computed now and then, beside its readers, without delaying any event."""

import inspect
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any
from unittest import mock

import psycopg
import pytest
import redis
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings
from rq import Queue
from rq.serializers import JSONSerializer

from orders_read import jobs, queries, refreshing
from orders_read.generations import drop_generation, show_generation
from orders_read.rebuild.run import Wishes, rebuild
from orders_read.rebuild.swapping import kept_generation, swap
from orders_read.refreshing import RefreshAtWork, overdue, refresh, refresh_due
from orders_write.commands import CancelOrder, CreditNoteLine, RecordCreditNote
from outbox.connection import connect
from outbox.delivery import drain
from outbox.known_jobs import KnownJob
from outbox.stopping import STOPPING
from outbox.subscribers import projection
from outbox.tokens import parse
from tests.browsing import browser_of, read, staff_browser
from tests.clients import client_of, staff
from tests.mutants import refreshes as mutants
from tests.mutants.refreshes import Mutant
from tests.orders_write.shop import NOON, customer, do, list_products, place, wish

pytestmark = pytest.mark.usefixtures("database")

Connect = Callable[[], psycopg.Connection[Any]]
VIEW = "shop_overview"
DAYS_AGO = [timedelta(days) for days in (0, 3, 20)]


@pytest.fixture(autouse=True)
def _at_work() -> None:
    """Be no process that comes to an end, whatever an earlier test has asked this one for."""
    STOPPING.event.clear()


@pytest.fixture
def worker(database: None) -> Iterator[psycopg.Connection[Any]]:
    with connect("test") as lent:
        yield lent


@pytest.fixture
def shop(worker: psycopg.Connection[Any]) -> int:
    """Give a shop that sold a mug today, two three days ago, three twenty days ago."""
    list_products("mug", "lamp")
    buyer = customer("ada")
    now = datetime.now(UTC)
    for pieces, ago in enumerate(DAYS_AGO, 1):
        do(wish(buyer, ("mug", pieces)), now=now - ago)
    drain()
    refresh(worker, VIEW)
    return buyer


def overview() -> Any:
    return json.loads(queries.shop_overview())


def figures(name: str) -> tuple[Any, ...]:
    period = overview()["periods"][name]
    return period["orders"], period["units"], period["gross"], period["net"]


def note(seconds: float, ago_seconds: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM view_refreshes")
        cursor.execute(
            "INSERT INTO view_refreshes VALUES (%s, clock_timestamp() - make_interval(secs => %s), %s)",
            [VIEW, ago_seconds, seconds],
        )


def test_it_tells_what_was_sold_today_and_in_7_and_30_days(shop: int) -> None:
    assert figures("today") == (1, 1, "2.5000", "2.5000")
    assert figures("last_7_days") == (2, 3, "7.5000", "7.5000")
    assert figures("last_30_days") == (3, 6, "15.0000", "15.0000")
    assert figures("always") == figures("last_30_days")
    assert overview()["periods"]["last_day_with_orders"] == overview()["periods"]["today"]


def test_it_tells_statuses_returns_customers_and_products(shop: int, worker: psycopg.Connection[Any]) -> None:
    eve = customer("eve")
    place(eve, ("lamp", 40))
    gone = place(eve, ("lamp", 1))
    do(CancelOrder(order_id=gone.order_id, reason="changed my mind"), now=datetime.now(UTC))
    back = CreditNoteLine(sku="mug", qty=2, price=Decimal("2.5"), order_id=3, order_line_no=1)
    outcome = do(RecordCreditNote(user_id=shop, lines=(back,), country="France"), now=datetime.now(UTC))
    assert outcome.refusal is None
    drain()
    refresh(worker, VIEW)

    found = overview()

    assert found["orders_by_status"] == {
        "confirmed": 4,
        "paid": 0,
        "shipped": 0,
        "delivered": 0,
        "cancelled": 1,
    }
    assert [(one["customer_number"], one["net"]) for one in found["top_customers"]] == [
        ("N-eve", "100.0000"),
        ("N-ada", "10.0000"),
    ]
    assert [(one["sku"], one["net"], one["returns_rate"]) for one in found["top_products"]] == [
        ("lamp", "100.0000", "0.0000"),
        ("mug", "10.0000", "0.3333"),
    ]
    assert found["periods"]["last_30_days"]["returns_rate"] == "0.3333"
    assert found["periods"]["always"]["gross"] == "117.5000"


def test_days_are_of_the_clock_and_the_last_day_with_orders_may_be_long_ago(
    worker: psycopg.Connection[Any],
) -> None:
    list_products("mug")
    place(customer("ada"), ("mug", 2))
    drain()
    refresh(worker, VIEW)

    periods = overview()["periods"]

    assert periods["today"]["from"] == periods["today"]["to"] == f"{datetime.now(UTC):%Y-%m-%d}"
    assert periods["last_30_days"]["orders"] == 0
    assert periods["last_30_days"]["returns_rate"] is None
    assert periods["last_day_with_orders"]["from"] == f"{NOON:%Y-%m-%d}"
    assert periods["last_day_with_orders"]["gross"] == "5.0000"


def test_an_empty_shop_has_an_overview(worker: psycopg.Connection[Any]) -> None:
    refresh(worker, VIEW)

    found = overview()

    assert "last_day_with_orders" not in found["periods"]
    assert (found["top_customers"], found["top_products"]) == ([], [])


def test_it_says_of_when_and_of_which_position_it_is(shop: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(position) FROM event_log")
        (head,) = cursor.fetchone()
    place(shop, ("mug", 1))
    drain()

    found = overview()

    assert found["position"] == str(head)
    assert 0 <= found["age_seconds"] < 60
    assert datetime.fromisoformat(found["as_of"]) - datetime.now(UTC) < timedelta(seconds=60)
    assert found["periods"]["always"]["orders"] == 3  # what came since is not counted yet


def delays_nobody(second_connection: Connect) -> None:
    """Check that during a refresh events are relayed and delivered, and readers answered."""
    list_products("mug")
    buyer = customer("ada")
    drain()
    refresher = second_connection()
    with mock.patch("orders_read.refreshing._alone", side_effect=lambda *_: mock.MagicMock()):
        refresher.execute("SELECT 1")
        refreshing._refresh(refresher, VIEW)  # in an open transaction: all its locks are still held

    order = place(buyer, ("mug", 1))
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '500ms'")
        try:
            drain()
            cursor.execute("SELECT count(*) FROM read_shop_overview")
        except Exception as error:  # noqa: BLE001 – whatever it is, somebody had to wait
            pytest.fail(f"had to wait: {error}")
        finally:
            cursor.execute("RESET lock_timeout")
            refresher.rollback()

    assert queries.order_details(order.order_id) is not None


def test_a_refresh_in_progress_delays_no_event_and_no_reader(second_connection: Connect) -> None:
    delays_nobody(second_connection)


def one_refreshes_at_a_time(second_connection: Connect) -> None:
    """Check that a second one is turned away."""
    first, second = second_connection(), second_connection()
    first.autocommit = second.autocommit = True
    with refreshing._alone(first, VIEW), pytest.raises(RefreshAtWork):
        refresh(second, VIEW)
    assert refresh(second, VIEW) is not None


def test_one_process_refreshes_at_a_time(second_connection: Connect) -> None:
    one_refreshes_at_a_time(second_connection)


def takes_a_fifth_of_the_time_at_most(worker: psycopg.Connection[Any]) -> None:
    """Check that after a refresh of t seconds the next is not due for 4 t."""
    note(seconds=30.0, ago_seconds=119)
    assert overdue(worker) == []
    assert refresh(worker, VIEW, if_due=True) is None
    note(seconds=30.0, ago_seconds=121)
    assert overdue(worker) == [VIEW]
    assert refresh(worker, VIEW, if_due=True) is not None


def test_a_refresh_takes_a_fifth_of_the_time_at_most(worker: psycopg.Connection[Any]) -> None:
    takes_a_fifth_of_the_time_at_most(worker)


def counts_what_failed(worker: psycopg.Connection[Any]) -> None:
    """Check that a refresh that fails has its pause too."""
    with mock.patch.object(refreshing, "REFRESH", "SELECT 1 / 0"), pytest.raises(psycopg.Error):
        refresh(worker, VIEW)
    assert overdue(worker) == []


def test_a_refresh_that_fails_has_its_pause_too(worker: psycopg.Connection[Any]) -> None:
    counts_what_failed(worker)


@pytest.mark.parametrize(
    ("mutant", "check"),
    [
        (mutants.readers_wait, delays_nobody),
        (mutants.delivery_waits, delays_nobody),
        (mutants.several_at_once, one_refreshes_at_a_time),
        (mutants.without_a_pause, takes_a_fifth_of_the_time_at_most),
        (mutants.a_failure_costs_nothing, counts_what_failed),
    ],
    ids=lambda part: part.__name__,
)
def test_who_refreshes_otherwise_is_caught(
    mutant: Mutant,
    check: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    given = {name: request.getfixturevalue(name) for name in inspect.signature(check).parameters}
    mutant(monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check(**given)


def test_many_who_ask_make_one_refresh(worker: psycopg.Connection[Any]) -> None:
    assert [refresh_due(worker) for _ in range(3)] == [1, 0, 0]


def test_a_rebuild_replaces_what_it_reads_and_a_roll_back_too(
    shop: int, worker: psycopg.Connection[Any]
) -> None:
    before = overview()["periods"]
    name = "product_sales"

    rebuild(projection(name), Wishes(actor="shell:ada"))
    refresh(worker, VIEW)
    assert overview()["periods"] == before
    swap(worker, name, kept_generation(worker, name), keep_hours=0)
    refresh(worker, VIEW)

    assert overview()["periods"] == before
    drop_generation(worker, name, kept_generation(worker, name))
    assert refresh(worker, VIEW) is not None


def test_what_a_roll_back_cannot_know_is_null_and_can_be_refreshed(
    shop: int, worker: psycopg.Connection[Any]
) -> None:
    """A newer generation has a column that the older one lacks, and the materialized view depends on the view."""
    with worker.transaction(force_rollback=True), worker.cursor() as cursor:
        cursor.execute("CREATE TABLE read_product_sales_g9 (LIKE read_product_sales_g1, margin numeric)")
        cursor.execute("INSERT INTO read_product_sales_g9 SELECT *, 1 FROM read_product_sales")
        show_generation(cursor, ["product_sales"], 9)
        assert refresh(worker, VIEW) is not None
        show_generation(cursor, ["product_sales"], 1)

        assert refresh(worker, VIEW) is not None
        assert cursor.execute("SELECT margin FROM read_product_sales").fetchall() == [(None,)]


def test_the_job_is_known_to_workers(shop: int) -> None:
    note(seconds=0, ago_seconds=1000)
    assert KnownJob.create(jobs.REFRESH_JOB, connection=mock.Mock()).func() == 1
    assert jobs.refresh_views() == 0


def asked() -> int:
    with connect("chore") as lent:
        return jobs.ask_for_refresh(lent, lambda: False)


def test_workers_ask_for_one_job_when_it_is_due(redis_server: redis.Redis) -> None:
    note(seconds=0, ago_seconds=70)
    queue = Queue("work", connection=redis_server, serializer=JSONSerializer)

    assert [asked() for _ in range(3)] == [0, 0, 0]

    assert [job.func_name for job in queue.jobs] == [jobs.REFRESH_JOB]
    assert jobs.refresh_views() == 1
    assert asked() == 0
    assert len(queue) == 1


def test_where_no_job_comes_a_worker_does_it_itself(redis_server: redis.Redis, settings: Settings) -> None:
    note(seconds=0, ago_seconds=121)  # twice as old as it may become: whoever was asked did not come
    assert asked() == 1
    note(seconds=0, ago_seconds=70)
    settings.OUTBOX = settings.OUTBOX | {"REDIS_URL": "redis://127.0.0.1:1/0"}
    assert asked() == 1
    note(seconds=0, ago_seconds=70)
    settings.OUTBOX = settings.OUTBOX | {"REDIS_URL": ""}
    assert asked() == 1
    assert asked() == 0


def test_the_command_refreshes_at_once_or_what_is_due() -> None:
    out = StringIO()
    call_command("refresh_views", stdout=out)
    call_command("refresh_views", VIEW, "--if-due", stdout=out)
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("shop_overview: refreshed in 0.")
    assert lines[1:] == ["shop_overview: not due"]


def test_the_command_says_what_it_cannot_do(worker: psycopg.Connection[Any]) -> None:
    with pytest.raises(CommandError, match="There is no materialized view nothing") as refusal:
        call_command("refresh_views", "nothing")
    assert refusal.value.returncode == 1
    with refreshing._alone(worker, VIEW), pytest.raises(CommandError) as refusal:
        call_command("refresh_views")
    assert refusal.value.returncode == 4


def test_the_api_answers_staff_only(shop: int) -> None:
    assert client_of(shop).get("/api/v1/overview").status_code == 403
    assert staff().get("/api/v1/overview").json()["periods"]["always"]["orders"] == 3


def test_a_token_of_what_came_since_is_answered_by_the_next_refresh(
    shop: int, worker: psycopg.Connection[Any]
) -> None:
    client = staff()
    place(shop, ("mug", 1))
    drain()
    token = client.get("/api/v1/orders")["Consistency-Token"]

    refused = client.get("/api/v1/overview", HTTP_CONSISTENCY_TOKEN=token, HTTP_PREFER="wait=0")
    older = client.get(
        "/api/v1/overview", HTTP_CONSISTENCY_TOKEN=token, HTTP_PREFER="wait=0, handling=lenient"
    )
    refresh(worker, VIEW)
    newer = client.get("/api/v1/overview", HTTP_CONSISTENCY_TOKEN=token)

    assert refused.status_code == 503
    assert refused.json()["details"]["read_model"] == VIEW
    assert (older["Read-Model-Stale"], older.json()["periods"]["always"]["orders"]) == ("true", 3)
    assert newer.json()["periods"]["always"]["orders"] == 4
    assert parse(newer["Consistency-Token"]).position == int(newer.json()["position"])


def test_the_page_shows_it_to_staff_only_with_the_time(shop: int) -> None:
    page = read(staff_browser(), "/overview/")

    assert f"As of {datetime.now(UTC):%-d %B %Y}" in page
    assert "Today" in page
    assert "1 1 £2.50 £0.00 £0.00 £2.50 0.0 %" in page
    assert "N-ada" in page
    assert "You may not see this" in read(browser_of(shop), "/overview/", expected=403)
