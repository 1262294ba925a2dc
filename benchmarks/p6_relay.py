"""P6: how fast the relay numbers messages, alone and under an old snapshot, beside a flag that is set."""

import time
from collections.abc import Iterator
from contextlib import closing
from statistics import median

import psycopg
from django.db import connection

from outbox.connection import connect
from outbox.relay import Relay

from . import database
from .figures import Figure
from .naive.models import Event

BATCH = 5_000
ORDER_BYTES, SMALL_BYTES = 1_000, 150  # payloads: an order of three lines; a small event

MESSAGES = """
INSERT INTO outbox (event_id, event_type, schema_version, aggregate_type, aggregate_id, aggregate_version, payload,
    metadata, occurred_at)
SELECT gen_random_uuid(), 'Measured', 1, 'measured', number, 1,
       jsonb_build_object('country', 'France', 'text', repeat('x', %(bytes)s - 40)), '{"actor": "benchmark"}', now()
  FROM generate_series(1, %(count)s) AS number
"""
FLAGGED = """
INSERT INTO naive_event (kind, payload, created_at, published)
SELECT 'Measured', jsonb_build_object('country', 'France', 'text', repeat('x', %(bytes)s - 40)), now(), false
  FROM generate_series(1, %(count)s)
"""
FLAG = """
UPDATE naive_event SET published = true WHERE id IN
    (SELECT id FROM naive_event WHERE NOT published ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
"""


def measure(*, quick: bool) -> Iterator[Figure]:
    """Measure batches and single messages, then both again under a snapshot that stays open."""
    count, singles = (10_000, 50) if quick else (60_000, 300)
    database.fresh()
    worker = connect("benchmark")
    relay = Relay(batch_size=BATCH)
    while relay.run_once(worker):  # the catalogue
        pass
    for size in (ORDER_BYTES, SMALL_BYTES):
        flagged = _flagged_per_second(worker, count, size)
        batches = median(_relay_all(relay, worker, count, size) for _ in range(3))
        name = f"relay in batches of 5,000, payloads of {size:,} bytes"
        yield _batches(name, batches, flagged, "marking rows as published")
    single = _single_ms(relay, worker, singles)
    yield _single("relay of a single message", single)
    with closing(connection.copy()) as other, other.cursor() as snapshot:
        snapshot.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        snapshot.execute("SELECT count(*) FROM outbox")
        for _ in range(3):  # what an hour leaves behind: dead rows that no vacuum may remove
            _relay_all(relay, worker, count, SMALL_BYTES)
        time.sleep(0.5)
        old_batches = median(_relay_all(relay, worker, count, SMALL_BYTES) for _ in range(3))
        old_single = _single_ms(relay, worker, singles)
    name = f"under an open snapshot, {3 * count:,} messages later"
    peer = "with no snapshot open"
    yield _batches(
        f"relay in batches of 5,000, payloads of {SMALL_BYTES} bytes, {name}", old_batches, batches, peer
    )
    yield _single(f"relay of a single message, {name}", old_single, single, peer)
    worker.close()


def _relay_all(relay: Relay, worker: psycopg.Connection, count: int, size: int) -> float:
    worker.execute(MESSAGES, {"count": count, "bytes": size})
    began = time.perf_counter()
    moved = 0
    while moved < count:
        moved += relay.run_once(worker)
    return count / (time.perf_counter() - began)


def _single_ms(relay: Relay, worker: psycopg.Connection, count: int) -> float:
    times = []
    for _ in range(count):
        worker.execute(MESSAGES, {"count": 1, "bytes": ORDER_BYTES})
        began = time.perf_counter()
        assert relay.run_once(worker) == 1
        times.append(1000 * (time.perf_counter() - began))
    return median(times)


def _flagged_per_second(worker: psycopg.Connection, count: int, size: int) -> float:
    rates = []
    for _ in range(3):
        worker.execute(FLAGGED, {"count": count, "bytes": size})
        began = time.perf_counter()
        while worker.execute(FLAG, [BATCH]).rowcount:
            pass
        rates.append(count / (time.perf_counter() - began))
    assert not Event.objects.filter(published=False).exists()
    return median(rates)


def _batches(quantity: str, measured: float, peer: float, peer_name: str) -> Figure:
    return Figure(
        row="P6",
        quantity=quantity,
        unit="messages/s",
        measured=measured,
        target=80_000,
        peer=peer,
        peer_name=peer_name,
    )


def _single(quantity: str, measured: float, peer: float | None = None, peer_name: str = "") -> Figure:
    return Figure(
        row="P6",
        quantity=quantity,
        unit="ms",
        measured=measured,
        target=0.5,
        lower_is_better=True,
        peer=peer,
        peer_name=peer_name,
    )
