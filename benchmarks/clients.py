"""Let processes do the same thing side by side for a while, and count what they and the server spend."""

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from typing import TypeAlias

from django.db import connection, connections

from .cpu import Spent

FORK = multiprocessing.get_context("fork")
WARM_UP_SECONDS = 0.3

# Called in the process, with its number; returns what is to be done again and again.
Prepare: TypeAlias = Callable[[int], Callable[[], object]]


@dataclass(frozen=True)
class Load:
    """How often per second it was done by all processes together, and what each time cost the server."""

    per_second: float
    server_cpu_ms: float


def run_clients(prepare: Prepare, clients: int, seconds: float) -> Load:
    """Measure with this many processes, each on a connection of its own."""
    connection.ensure_connection()
    spent = Spent()
    connections.close_all()
    gate, counts = FORK.Barrier(clients + 1), FORK.Queue()
    processes = [
        FORK.Process(target=_client, args=(prepare, number, seconds, gate, counts))
        for number in range(clients)
    ]
    for process in processes:
        process.start()
    gate.wait()
    before, began = spent.server_seconds(), time.perf_counter()
    gate.wait()
    cpu, elapsed = spent.server_seconds() - before, time.perf_counter() - began
    gate.wait()
    done = sum(counts.get() for _ in processes)
    for process in processes:
        process.join()
    return Load(done / elapsed, 1000 * cpu / max(done, 1))


def _client(
    prepare: Prepare, number: int, seconds: float, gate: Barrier, counts: "multiprocessing.Queue[int]"
) -> None:
    act = prepare(number)
    _repeat(act, WARM_UP_SECONDS)
    gate.wait()
    done = _repeat(act, seconds)
    gate.wait()  # the connections stay open until the server's CPU time was read
    gate.wait()
    counts.put(done)


def _repeat(act: Callable[[], object], seconds: float) -> int:
    until, done = time.perf_counter() + seconds, 0
    while time.perf_counter() < until:
        act()
        done += 1
    return done
