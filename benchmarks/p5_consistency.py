"""P5: how long after the commit an order can be read, at 200 orders a second."""

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from statistics import median, quantiles

import psycopg
from django.db import connection, connections

from orders_write.domain.order import Order

from . import database
from .clients import FORK
from .figures import Figure
from .orders import Shop
from .workers import delivery_worker, polling_worker

WRITERS, PER_SECOND = 4, 200
VISIBLE = "SELECT 1 FROM read_order_details WHERE order_id = %s"
LOOK_SECONDS = 0.0002
WARM_UP_SECONDS = 1.5
LONGEST_SECONDS = 5.0


@dataclass(frozen=True)
class Delays:
    """How long each order took to be seen, and how many orders a second were placed: a writer waits for its own."""

    milliseconds: list[float]
    per_second: float

    def percentile(self, percent: int) -> float:
        """Return the delay that this part of the orders did not exceed."""
        return quantiles(self.milliseconds, n=100)[percent - 1]


def measure(*, quick: bool) -> Iterator[Figure]:
    """Measure with a worker that hears the bell, beside one that looks every 100 ms."""
    seconds, runs = (2.0, 1) if quick else (8.0, 3)
    rung = [delays(delivery_worker, seconds) for _ in range(runs)]
    polled = delays(polling_worker, seconds / 2)
    per_second = median(one.per_second for one in rung)
    for percent, target in ((50, 4.0), (99, 12.0)):
        yield Figure(
            row="P5",
            quantity=f"from commit to all default read models, {per_second:.0f} orders/s, p{percent}",
            unit="ms",
            measured=median(one.percentile(percent) for one in rung),
            target=target,
            lower_is_better=True,
            peer=polled.percentile(percent),
            peer_name=f"run_delivery, no bell, looking every 100 ms, {polled.per_second:.0f} orders/s",
        )


def delays(
    worker: Callable[[], AbstractContextManager[None]],
    seconds: float,
    before: Callable[[], None] = lambda: None,
    meanwhile: Callable[[], None] = lambda: None,
) -> Delays:
    """Measure with a worker, on a fresh database that `before` has prepared; `meanwhile` is done once in the middle."""
    database.fresh()
    before()
    connections.close_all()
    with worker():
        queue: multiprocessing.Queue[list[float]] = FORK.Queue()
        writers = [FORK.Process(target=_write, args=(number, seconds, queue)) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        middle = threading.Timer(WARM_UP_SECONDS + seconds / 3, meanwhile)
        middle.start()
        found = [delay for _ in writers for delay in queue.get(timeout=4 * LONGEST_SECONDS + seconds)]
        for writer in writers:
            writer.join()
        middle.join()
    return Delays(found, len(found) / seconds)


def _write(number: int, seconds: float, queue: "multiprocessing.Queue[list[float]]") -> None:
    """Place orders in step, and look for each until it can be read: all read models are committed together."""
    shop = Shop(number)
    connection.ensure_connection()
    reader = psycopg.Cursor(connection.connection)
    began = due = time.perf_counter() + number / PER_SECOND
    delays = []
    while due - began < WARM_UP_SECONDS + seconds:
        time.sleep(max(0.0, due - time.perf_counter()))
        state = shop.place().state
        assert isinstance(state, Order)
        committed = time.perf_counter()
        while not reader.execute(VISIBLE, [state.order_id], prepare=True).fetchone():
            assert time.perf_counter() - committed < LONGEST_SECONDS, "the worker does not deliver"
            time.sleep(LOOK_SECONDS)
        if due - began > WARM_UP_SECONDS:
            delays.append(1000 * (time.perf_counter() - committed))
        due = max(due + WRITERS / PER_SECOND, time.perf_counter())
    queue.put(delays)
