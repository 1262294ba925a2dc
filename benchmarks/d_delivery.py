"""D: what delivery costs when something breaks: a killed worker, a poison event, a silent Redis, nothing to do."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from statistics import median, quantiles

import redis
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from uuid_utils.compat import uuid7

from orders_write.models import User
from outbox import bell
from outbox.append import append
from outbox.connection import connect
from outbox.delivery import drain
from outbox.messages import Message, Metadata
from outbox.quiet import MARKS

from . import database, p5_consistency
from .figures import Figure
from .orders import Shop
from .p5_consistency import Delays
from .p9_bell import silent_port
from .workers import delivery_worker, kill_a_worker, two_delivery_workers

POISONER = "poisoner"
# What the fold of the dashboards does at an order of one customer; the others' read models are looked at.
POISON = """
CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {act} RETURN NEW; END $$;
CREATE TRIGGER poison BEFORE INSERT OR UPDATE ON read_user_dashboard_g1
    FOR EACH ROW WHEN (NEW.user_id = {user}) EXECUTE FUNCTION poison();
"""
KINDS = {
    "raises": "RAISE 'poison';",
    "cuts the connection": "PERFORM pg_terminate_backend(pg_backend_pid());",
    "never returns": "PERFORM pg_sleep(600);",
}
PARKED = "SELECT count(*) FROM dead_letters"
DEAD_ROWS = 20_000


def measure(*, quick: bool) -> Iterator[Figure]:
    """Measure each beside the same load with nothing broken."""
    seconds = 3.0 if quick else 9.0
    usual = p5_consistency.delays(two_delivery_workers, seconds)
    yield from _hand_over(seconds, usual)
    yield from _poison(seconds)
    yield _bells()
    yield _idle_poll()
    yield _silent_redis(100 if quick else 1_000)


def _hand_over(seconds: float, usual: Delays) -> Iterator[Figure]:
    found = p5_consistency.delays(two_delivery_workers, seconds, meanwhile=kill_a_worker)
    yield Figure(
        row="D1",
        quantity="longest wait for a read model when one of two workers is killed at 200 orders/s",
        unit="ms",
        measured=max(found.milliseconds),
        target=5_000,
        lower_is_better=True,
        peer=max(usual.milliseconds),
        peer_name="longest with nobody killed",
    )


def _poison(seconds: float) -> Iterator[Figure]:
    """Look at the order documents while an order breaks the dashboards; an unknown type breaks all alike."""
    usual = p5_consistency.delays(delivery_worker, seconds)
    ways: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
        kind: (partial(_install, act), _place_poison) for kind, act in KINDS.items()
    }
    ways["has an unknown type"] = (lambda: None, partial(_append, "OrderTeleported", 1))
    ways["has an unknown version"] = (lambda: None, partial(_append, "OrderPlaced", 9))
    for kind, (before, meanwhile) in ways.items():
        found = p5_consistency.delays(delivery_worker, seconds, before, meanwhile)
        if kind != "never returns":  # it is given half a minute when it is alone
            with connection.cursor() as cursor:
                cursor.execute(PARKED)
                assert cursor.fetchone()[0], f"the event that {kind} is not parked"
        for name, one, other in (
            ("median", median(found.milliseconds), median(usual.milliseconds)),
            ("p99", found.percentile(99), usual.percentile(99)),
        ):
            yield Figure(
                row="D2",
                quantity=f"{name} of the others' wait while an event that {kind} is found",
                unit="× without it",
                measured=one / other,
                target=2,
                lower_is_better=True,
            )
        yield Figure(
            row="D2",
            quantity=f"longest wait of one order of the others while an event that {kind} is found",
            unit="ms",
            measured=max(found.milliseconds),
            target=None,
            peer=max(usual.milliseconds),
            peer_name="longest without it",
        )


def _install(act: str) -> None:
    user = User.objects.create(username=POISONER, customer_number=POISONER)
    with connection.cursor() as cursor:
        cursor.execute(POISON.format(act=act, user=user.pk))


def _place_poison() -> None:
    shop = Shop(99)
    shop.users = [User.objects.get(username=POISONER).pk]
    shop.place()
    connection.close()


def _append(event_type: str, schema_version: int) -> None:
    with transaction.atomic():
        append([_message(event_type, schema_version)])
    connection.close()


def _message(event_type: str = "OrderPlaced", schema_version: int = 1) -> Message:
    return Message(
        event_id=uuid7(),
        event_type=event_type,
        schema_version=schema_version,
        aggregate_type="parcel",
        aggregate_id=1,
        aggregate_version=1,
        payload="{}",
        metadata=Metadata(actor="benchmark"),
        occurred_at=timezone.now(),
    )


def _bells() -> Figure:
    """Commit a thousand times with no worker there: whatever is queued stays and is counted."""
    database.fresh()
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
        for _ in range(1_000):
            _append("OrderPlaced", 1)
        bell.BELL.flush(5)
        queued = client.llen("rq:queue:delivery")
    return Figure(
        row="D3",
        quantity="jobs that a thousand commits leave in the queue",
        unit="jobs",
        measured=float(queued),
        target=20,
        lower_is_better=True,
        peer=1_000,
        peer_name="a job per event",
    )


def _idle_poll() -> Figure:
    """Count the pages that a poll reads under an old snapshot that keeps all dead rows of the outbox."""
    database.fresh()
    with closing(connect("old")) as old, closing(connect("benchmark")) as worker:
        old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM outbox")
        old.execute("SET idle_in_transaction_session_timeout = 0")
        for _ in range(DEAD_ROWS // 1_000):
            with transaction.atomic():
                append([_message() for _ in range(1_000)])
        drain()
        plan = worker.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {MARKS}").fetchone()
        full = worker.execute(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT count(*) FROM outbox"
        ).fetchone()
        old.execute("ROLLBACK")
    return Figure(
        row="D4",
        quantity=f"pages of an idle look at two sequences, {DEAD_ROWS:,} dead rows under an old snapshot",
        unit="pages",
        measured=_pages(plan),
        target=10,
        lower_is_better=True,
        peer=_pages(full),
        peer_name="looking whether the outbox is empty",
    )


def _pages(plan: tuple[list[dict[str, dict[str, int]]]] | None) -> float:
    assert plan is not None
    root = plan[0][0]["Plan"]
    return float(root["Shared Hit Blocks"] + root["Shared Read Blocks"])


def _silent_redis(orders: int) -> Figure:
    """Compare the slowest hundredth of orders with a Redis that accepts and never answers."""
    database.fresh()
    usual = _p99(orders, 1)
    with silent_port() as port:
        given, settings.OUTBOX = (
            settings.OUTBOX,
            settings.OUTBOX | {"REDIS_URL": f"redis://127.0.0.1:{port}/0"},
        )
        silent = _p99(orders, 2)
        settings.OUTBOX = given
    return Figure(
        row="D5",
        quantity="p99 of PlaceOrder with Redis silent, more than with Redis there",
        unit="ms",
        measured=silent - usual,
        target=50,
        lower_is_better=True,
        peer=usual,
        peer_name="p99 with Redis there",
    )


def _p99(orders: int, number: int) -> float:
    shop, took = Shop(number), []
    for _ in range(orders):
        began = time.perf_counter()
        shop.place()
        took.append(1000 * (time.perf_counter() - began))
    return quantiles(took, n=100)[98]
