"""P3: how fast live projection is, beside a naive one that takes one event at a time."""

import time
from collections.abc import Iterator, Sequence
from statistics import median

from django.db import connection

from orders_write.handlers import handle_batch
from outbox.connection import connect
from outbox.delivery import Delivery
from outbox.relay import Relay

from . import database
from .figures import Figure
from .naive.models import Event
from .naive.projections import project_new_events
from .orders import Shop, by_naive_handler

LOGGED = f"{database.DATABASE}_logged"
THREE = ("order_details", "daily_revenue", "product_sales")
BATCH = 500
NAIVE_EVENTS = 200


def measure(*, quick: bool) -> Iterator[Figure]:
    """Fold a log of OrderPlaced into three read models, and into all of them."""
    events, repeats = (3_000, 1) if quick else (20_000, 3)
    log_orders(events)
    naive = naive_events_per_second(repeats)
    for models, target in ((THREE, 20_000), ((), 8_000)):
        yield Figure(
            row="P3",
            quantity=f"live projection of OrderPlaced, {'three' if models else 'all default'} read models",
            unit="events/s",
            measured=median(_events_per_second(events, models) for _ in range(repeats)),
            target=target,
            peer=naive,
            peer_name="one event at a time through the ORM, three read models",
        )


def log_orders(count: int) -> None:
    """Place orders, relay them, and let the read models stand before the first of them."""
    database.fresh()
    shop = Shop(0)
    for _ in range(0, count, BATCH):
        handle_batch([shop.request() for _ in range(BATCH)])
    place = by_naive_handler(1)
    for _ in range(NAIVE_EVENTS):
        place()
    relay, worker = Relay(), connect("benchmark")
    while relay.run_once(worker):
        pass
    worker.execute("ANALYZE")
    worker.close()
    database.save_as(LOGGED)


def _events_per_second(count: int, models: Sequence[str]) -> float:
    database.fresh(LOGGED)
    worker = connect("benchmark")
    if models:
        worker.execute("DELETE FROM projection_generations WHERE projection <> ALL(%s)", [list(models)])
    delivery = Delivery(worker)
    began = time.perf_counter()
    folded = delivery.drain()
    seconds = time.perf_counter() - began
    worker.close()
    assert folded >= count
    return folded / seconds


def naive_events_per_second(repeats: int) -> float:
    """Say how fast the naive twin projects what it has placed."""
    rates = []
    for _ in range(repeats):
        database.fresh(LOGGED)
        connection.ensure_connection()
        began = time.perf_counter()
        assert project_new_events() == Event.objects.count() == NAIVE_EVENTS
        rates.append(NAIVE_EVENTS / (time.perf_counter() - began))
    return median(rates)
