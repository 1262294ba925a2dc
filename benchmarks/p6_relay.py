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
# A payload of the size of an order of three lines.
MESSAGES = """
INSERT INTO outbox (event_id, event_type, schema_version, aggregate_type, aggregate_id, aggregate_version, payload,
    metadata, occurred_at)
SELECT gen_random_uuid(), 'Measured', 1, 'measured', number, 1,
       jsonb_build_object('country', 'France', 'text', repeat('x', 700)), '{"actor": "benchmark"}', now()
  FROM generate_series(1, %s) AS number
"""
FLAGGED = """
INSERT INTO naive_event (kind, payload, created_at, published)
SELECT 'Measured', jsonb_build_object('country', 'France', 'text', repeat('x', 700)), now(), false
  FROM generate_series(1, %s)
"""
FLAG = """
UPDATE naive_event SET published = true WHERE id IN
    (SELECT id FROM naive_event WHERE NOT published ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
"""


def measure(*, quick: bool) -> Iterator[Figure]:
    """Measure batches and single messages, then both again under a snapshot that stays open."""
    count, singles = (10_000, 50) if quick else (100_000, 300)
    database.fresh()
    worker = connect("benchmark")
    relay = Relay(batch_size=BATCH)
    while relay.run_once(worker):  # the catalogue
        pass
    flagged = _flagged_per_second(worker, count)
    batches, single = _measured(relay, worker, count, singles)
    yield _batches("relay in batches of 5,000", batches, 80_000, flagged, "marking rows as published")
    yield _single("relay of a single message", single, 0.5)
    with closing(connection.copy()) as other, other.cursor() as snapshot:
        snapshot.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        snapshot.execute("SELECT count(*) FROM outbox")
        for _ in range(3):  # what an hour leaves behind: dead rows that no vacuum may remove
            _relay_all(relay, worker, count)
        time.sleep(0.5)
        old_batches, old_single = _measured(relay, worker, count, singles)
    name = f"{3 * count:,} messages under an open snapshot"
    yield _batches(
        f"relay in batches of 5,000 after {name}", old_batches, 80_000, batches, "with no snapshot open"
    )
    yield _single(f"relay of a single message after {name}", old_single, 0.5, single, "with no snapshot open")
    worker.close()


def _measured(relay: Relay, worker: psycopg.Connection, count: int, singles: int) -> tuple[float, float]:
    return median(_relay_all(relay, worker, count) for _ in range(3)), _single_ms(relay, worker, singles)


def _relay_all(relay: Relay, worker: psycopg.Connection, count: int) -> float:
    worker.execute(MESSAGES, [count])
    began = time.perf_counter()
    moved = 0
    while moved < count:
        moved += relay.run_once(worker)
    return count / (time.perf_counter() - began)


def _single_ms(relay: Relay, worker: psycopg.Connection, count: int) -> float:
    times = []
    for _ in range(count):
        worker.execute(MESSAGES, [1])
        began = time.perf_counter()
        assert relay.run_once(worker) == 1
        times.append(1000 * (time.perf_counter() - began))
    return median(times)


def _flagged_per_second(worker: psycopg.Connection, count: int) -> float:
    rates = []
    for _ in range(3):
        worker.execute(FLAGGED, [count])
        began = time.perf_counter()
        while worker.execute(FLAG, [BATCH]).rowcount:
            pass
        rates.append(count / (time.perf_counter() - began))
    assert not Event.objects.filter(published=False).exists()
    return median(rates)


def _batches(quantity: str, measured: float, target: float, peer: float, peer_name: str) -> Figure:
    return Figure(
        row="P6",
        quantity=quantity,
        unit="messages/s",
        measured=measured,
        target=target,
        peer=peer,
        peer_name=peer_name,
    )


def _single(
    quantity: str, measured: float, target: float, peer: float | None = None, peer_name: str = ""
) -> Figure:
    return Figure(
        row="P6",
        quantity=quantity,
        unit="ms",
        measured=measured,
        target=target,
        lower_is_better=True,
        peer=peer,
        peer_name=peer_name,
    )
