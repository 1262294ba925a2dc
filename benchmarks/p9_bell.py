"""P9: what the bell costs the commands: rung, off, with Redis down, with Redis hanging; beside NOTIFY."""

import socket
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median

from django.conf import settings
from django.db import connection, transaction

from . import database
from .clients import run_clients
from .figures import Figure
from .orders import Shop

CLIENTS = 4


def measure(*, quick: bool) -> Iterator[Figure]:
    """Take turns, each time another one first, so that a slow minute or a cold start meets all alike."""
    repeats, seconds = (1, 1.0) if quick else (5, 2.0)
    with _closed_port() as down, silent_port() as hanging:
        ways = {
            "bell off": partial(_place, ""),
            "bell on": partial(_place, settings.REDIS_URL),
            "Redis down": partial(_place, f"redis://127.0.0.1:{down}/0"),
            "Redis hanging": partial(_place, f"redis://127.0.0.1:{hanging}/0"),
            "NOTIFY in the transaction": _place_and_notify,
        }
        rates: dict[str, list[float]] = {way: [] for way in ways}
        order = deque(ways)
        for _ in range(repeats):
            database.fresh()
            for way in order:
                rates[way].append(run_clients(ways[way], CLIENTS, seconds).per_second)
            order.rotate()
    off = median(rates.pop("bell off"))
    for way, measured in rates.items():
        yield Figure(
            row="P9",
            quantity=f"orders/s of {CLIENTS} processes, {way}"
            + (" (what others do)" if "NOTIFY" in way else ""),
            unit="% of bell off",
            measured=100 * median(measured) / off,
            target=None if "NOTIFY" in way else 95,
            peer=100,
            peer_name="bell off",
        )


def _place(redis_url: str, number: int) -> Callable[[], object]:
    settings.OUTBOX = settings.OUTBOX | {"REDIS_URL": redis_url}
    return Shop(number).place


def _place_and_notify(number: int) -> Callable[[], object]:
    place = _place("", number)

    def place_and_notify() -> None:
        with transaction.atomic():
            place()
            with connection.cursor() as cursor:
                cursor.execute("NOTIFY outbox")

    return place_and_notify


@contextmanager
def _closed_port() -> Iterator[int]:
    """Give a port that refuses connections."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@contextmanager
def silent_port() -> Iterator[int]:
    """Give a port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=1_000) as listener:
        yield listener.getsockname()[1]
