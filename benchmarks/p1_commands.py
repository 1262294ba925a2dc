"""P1: how many orders per second the handler takes, beside the naive handler and the limit of one SQL statement."""

from collections import deque
from collections.abc import Iterator
from statistics import median

from tests.orders_write.round_trips import counted_round_trips

from . import database
from .clients import Load, Prepare, run_clients
from .figures import Figure
from .orders import Shop, by_handler, by_naive_handler, by_one_statement

TARGETS = {1: 1_200, 4: 2_500, 8: None}


def measure(*, quick: bool) -> Iterator[Figure]:
    """Measure with 1, 4 and 8 processes."""
    repeats, seconds = (1, 0.7) if quick else (3, 2.0)
    for clients in (1, 4) if quick else TARGETS:
        loads = _interleaved(clients, repeats, seconds)
        handler, naive, limit = (
            _medians(loads[prepare]) for prepare in (by_handler, by_naive_handler, by_one_statement)
        )
        what = f"PlaceOrder by the handler, {clients} process{'es' if clients > 1 else ''}"
        yield Figure(
            row="P1",
            quantity=what,
            unit="orders/s",
            measured=handler.per_second,
            target=TARGETS[clients],
            peer=naive.per_second,
            peer_name="naive ORM handler",
        )
        yield Figure(
            row="P1",
            quantity=what,
            unit="orders/s",
            measured=handler.per_second,
            peer=limit.per_second,
            peer_name="limit, one SQL statement",
        )
        yield Figure(
            row="P1",
            quantity=f"server CPU of an order, {clients} process{'es' if clients > 1 else ''}",
            unit="ms",
            measured=handler.server_cpu_ms,
            target=0.45,
            lower_is_better=True,
            peer=limit.server_cpu_ms,
            peer_name="limit, one SQL statement",
        )
    yield _round_trips()


def _interleaved(clients: int, repeats: int, seconds: float) -> dict[Prepare, list[Load]]:
    """Take turns, each time another one first, so that a slow minute or a cold start meets all alike."""
    ways: deque[Prepare] = deque((by_handler, by_naive_handler, by_one_statement))
    loads: dict[Prepare, list[Load]] = {way: [] for way in ways}
    for _ in range(repeats):
        database.fresh()
        for way in ways:
            loads[way].append(run_clients(way, clients, seconds))
        ways.rotate()
    return loads


def _medians(loads: list[Load]) -> Load:
    return Load(median(load.per_second for load in loads), median(load.server_cpu_ms for load in loads))


def _round_trips() -> Figure:
    shop = Shop(99)
    with counted_round_trips() as trips:
        for _ in range(20):
            shop.place()
        trips.count = 0
        shop.place()
        count = trips.count
    return Figure(
        row="P1",
        quantity="round trips of an order, BEGIN and COMMIT included",
        unit="",
        measured=count,
        target=4,
        lower_is_better=True,
    )
