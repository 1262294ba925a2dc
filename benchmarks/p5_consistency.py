"""P5: how long after the commit an order can be read, at 200 orders a second."""

import time
from collections.abc import Iterator
from statistics import median, quantiles

import psycopg
from django.db import connection, connections

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


def measure(*, quick: bool) -> Iterator[Figure]:
    """Measure with a worker that hears the bell, beside one that looks every 100 ms."""
    seconds = 2.0 if quick else 8.0
    runs = 1 if quick else 3
    rung = [_delays(delivery_worker, seconds) for _ in range(runs)]
    polled = [_delays(polling_worker, seconds / 2)]
    for percent, target in ((50, 4.0), (99, 12.0)):
        yield Figure(
            row="P5",
            quantity=f"from commit to all default read models, {PER_SECOND} orders/s, p{percent}",
            unit="ms",
            measured=median(_percentile(one, percent) for one in rung),
            target=target,
            lower_is_better=True,
            peer=median(_percentile(one, percent) for one in polled),
            peer_name="run_delivery, no bell, looking every 100 ms",
        )


def _delays(worker: "object", seconds: float) -> list[float]:
    database.fresh()
    connections.close_all()
    with worker():  # type: ignore[operator]
        queue = FORK.Queue()
        writers = [FORK.Process(target=_write, args=(number, seconds, queue)) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        delays = [delay for _ in writers for delay in queue.get(timeout=4 * LONGEST_SECONDS + seconds)]
        for writer in writers:
            writer.join()
    return delays


def _write(number: int, seconds: float, queue: "object") -> None:
    """Place orders in step, and look for each until it can be read: all read models are committed together."""
    shop = Shop(number)
    connection.ensure_connection()
    reader = psycopg.Cursor(connection.connection)
    began = time.perf_counter() + number / PER_SECOND
    delays = []
    for turn in range(int((seconds + WARM_UP_SECONDS) * PER_SECOND / WRITERS)):
        due = began + turn * WRITERS / PER_SECOND
        time.sleep(max(0.0, due - time.perf_counter()))
        order_id = shop.place().state.order_id  # type: ignore[union-attr]
        committed = time.perf_counter()
        while not reader.execute(VISIBLE, [order_id], prepare=True).fetchone():
            assert time.perf_counter() - committed < LONGEST_SECONDS, "the worker does not deliver"
            time.sleep(LOOK_SECONDS)
        if due - began > WARM_UP_SECONDS:
            delays.append(1000 * (time.perf_counter() - committed))
    queue.put(delays)  # type: ignore[attr-defined]


def _percentile(delays: list[float], percent: int) -> float:
    return quantiles(delays, n=100)[percent - 1]
