"""P4: how fast read models are rebuilt and verified, how long a swap holds readers up, beside a naive rebuild."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import psycopg

from orders_read.rebuild.run import Wishes, rebuild
from orders_read.rebuild.swapping import kept_generation, swap
from orders_read.verify.run import verify
from outbox import partitions
from outbox.connection import connect, one_value
from outbox.delivery import Delivery
from outbox.subscribers import projection

from . import database, p3_projection
from .figures import Figure

THREE = p3_projection.THREE
PLACED = 10_000
WISHES = Wishes(actor="benchmark", keep_hours=0)

# The orders that were placed, again and again, each time as other orders at later positions.
MULTIPLY = """
INSERT INTO event_log (position, message_id, event_id, event_type, schema_version, aggregate_type, aggregate_id,
                       aggregate_version, payload, metadata, occurred_at, recorded_at)
SELECT head + row_number() OVER (ORDER BY position), message_id + $1::bigint * 1000000, gen_random_uuid(),
       event_type, schema_version, aggregate_type, aggregate_id + $1::bigint * 1000000, aggregate_version,
       payload || jsonb_build_object('order_id', (aggregate_id + $1::bigint * 1000000)::text), metadata,
       occurred_at + make_interval(days => $1::int % 300), recorded_at
  FROM event_log, (SELECT max(position) AS head FROM event_log) AS log
 WHERE position <= $2::bigint AND event_type = 'OrderPlaced'
"""
HEAD = "SELECT max(position) FROM event_log"


def measure(*, quick: bool) -> Iterator[Figure]:
    """Rebuild three read models one after the other and two at a time, verify them, and watch a reader meanwhile."""
    events = int(os.environ.get("BENCH_REBUILD_EVENTS", "20000" if quick else "200000"))
    naive = _log_events(events)
    with connect("benchmark") as worker:
        count = int(one_value(worker.execute(HEAD)))
    alone = _seconds(1)
    yield _figure("rebuild of three read models, one at a time", count / alone, 50_000, naive)
    yield _figure("rebuild of three read models, two at a time", count / _seconds(2), 80_000, naive)
    began = time.perf_counter()
    for name in THREE:
        assert not verify(name, repairs=False, actor="benchmark").differences
    verified = time.perf_counter() - began
    yield Figure(
        row="P4",
        quantity="verification, as a part of the rebuild's rate",
        unit="",
        measured=alone / verified,
        target=0.5,
    )
    yield from _swaps(5 if quick else 20)


def _figure(quantity: str, rate: float, target: float, naive: float) -> Figure:
    return Figure(
        row="P4",
        quantity=quantity,
        unit="events/s",
        measured=rate,
        target=target,
        peer=naive,
        peer_name="one event at a time through the ORM, three read models",
    )


def _log_events(count: int) -> float:
    """Fill the log with so many events, deliver nothing, and say how fast the naive twin projects."""
    p3_projection.log_orders(PLACED)
    naive = p3_projection.naive_events_per_second(1)
    database.fresh(p3_projection.LOGGED)
    with connect("benchmark") as worker:
        worker.execute("SET statement_timeout = 0")
        raw = psycopg.RawCursor(worker)
        placed = int(one_value(worker.execute(HEAD)))
        while partitions.last_position(raw) < count + placed:
            partitions.make_next(raw, 1_000_000)
        for copy in range(1, max(count // placed, 1)):
            raw.execute(MULTIPLY, [copy, placed])
        worker.execute("VACUUM ANALYZE event_log")
        head = int(one_value(worker.execute(HEAD)))
        for name in THREE:  # the live generations need not fold all that: they begin at the end
            raw.execute("INSERT INTO checkpoints VALUES ($1, 1, 0, $2)", [name, head])
        worker.execute("DELETE FROM projection_generations WHERE projection <> ALL(%s)", [list(THREE)])
    return naive


def _seconds(parallel: int) -> float:
    began = time.perf_counter()
    with ThreadPoolExecutor(parallel) as pool:
        list(pool.map(lambda name: rebuild(projection(name), WISHES), THREE))
    return time.perf_counter() - began


def _swaps(count: int) -> Iterator[Figure]:
    """Roll back and forward under a reader that polls all the time; its longest pause counts."""
    stopping = threading.Event()
    pauses: list[float] = []
    usual: list[float] = []

    def read() -> None:
        with connect("reader") as reader:
            while not stopping.is_set():
                began = time.perf_counter()
                reader.execute("SELECT order_id FROM read_order_details LIMIT 1", prepare=True).fetchone()
                usual.append(time.perf_counter() - began)

    thread = threading.Thread(target=read)
    thread.start()
    with connect("swapper") as worker:
        Delivery(worker).drain()
        for _ in range(count):
            seen = len(usual)
            swap(worker, "order_details", kept_generation(worker, "order_details"), keep_hours=1)
            time.sleep(0.05)
            pauses.append(max(usual[seen:]))
    stopping.set()
    thread.join()
    yield Figure(
        row="P4",
        quantity="longest pause of a polling reader at a swap, median of swaps",
        unit="ms",
        measured=median(pauses) * 1000,
        target=10,
        lower_is_better=True,
        peer=sorted(usual)[int(len(usual) * 0.99)] * 1000,
        peer_name="its p99 otherwise",
    )
