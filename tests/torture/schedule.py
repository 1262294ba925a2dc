"""The schedule of a run, made from its seed before anything starts: what each client asks for, and what breaks when.

What a step hits is found when it runs: `aim` picks among the orders that are known then. All else stands here.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

PRODUCTS = ("mug", "lamp", "cup", "grain", "tea")
CUSTOMERS = {"ada": "300", "bob": "150", "cy": None, "dan": None}  # with their credit limits
STAFF = ("clerk", "chief")
HTTP_CLIENTS = ("ada", "ada", "bob", "cy", "cy", "dan", "clerk", "clerk", "chief")
DIRECT_CLIENTS = 2  # threads of one process that calls the handlers

LONG_SECONDS = 600  # from here on each fault must fire three times, below once
LEAST_LONG, LEAST_SHORT = 3, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command of a client: when, which, how it is sent, and the numbers that it is made with."""

    at: float
    do: str
    mode: str
    aim: int
    said: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault of the nemesis: when, which, for how long, and a number for whatever it has to choose."""

    at: float
    kind: str
    seconds: float
    aim: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """How often which command comes, and how it is sent; `rate` is commands a second of each client."""

    rate: float
    pieces: int
    products: int
    modes: Mapping[str, int]
    commands: Mapping[str, int]


CUSTOMERS_DO = {"PlaceOrder": 50, "ChargePayment": 25, "CancelOrder": 12}
STAFF_DO = {
    "PlaceOrder": 10, "ChargePayment": 12, "ShipOrder": 26, "DeliverOrder": 14, "CancelOrder": 6, "CreditOrder": 10,
    "RecordCreditNote": 3, "RepriceProduct": 4, "RestockProduct": 14, "ListProduct": 2, "RetireProduct": 1,
    "SetCreditLimit": 4,
}  # fmt: skip
MODES = {"plain": 70, "twice": 8, "again": 6, "changed": 6, "cut": 6, "abandoned": 4}

WORKLOADS = {
    "mixed": Workload(rate=8, pieces=60, products=5, modes=MODES, commands=STAFF_DO),
    "calm": Workload(rate=3, pieces=60, products=5, modes=MODES, commands=STAFF_DO),
    # Few pieces of few products, wished for by everybody at once.
    "scarce": Workload(rate=20, pieces=8, products=2, modes={"plain": 1}, commands=STAFF_DO),
    # A few products that everybody of the staff changes at once: many versions of one aggregate, close together.
    "contested": Workload(
        rate=15,
        pieces=60,
        products=2,
        modes={"plain": 1},
        commands={"RepriceProduct": 1, "RestockProduct": 1},
    ),
    "duplicates": Workload(
        rate=8, pieces=500, products=5, modes={"plain": 20, "twice": 70, "changed": 10}, commands=STAFF_DO
    ),
}

# For each kind of fault, how often it comes in seconds, and how long it lasts in seconds at least and at most.
NEMESES: dict[str, tuple[float, float, float]] = {
    "kill_web": (45, 0, 0),
    "restart_web": (60, 0, 0),
    "kill_worker": (30, 0, 0),
    "kill_relay": (45, 0, 0),
    "kill_postgres": (75, 0, 0),
    "kill_postgres_unflushed": (120, 0, 0),
    "kill_redis": (60, 0, 0),
    "stop_worker": (60, 5, 30),
    "flush_redis": (45, 0, 0),
    "silence_redis": (60, 2, 8),
    "terminate_sessions": (20, 0, 0),
    "hold_transaction": (90, 5, 30),
    "refresh_view": (90, 5, 20),
    "drop_bells": (20, 0, 0),
    "repeat_requests": (20, 0, 0),
    "kill_publishers": (30, 0, 0),
    "kill_receiver": (40, 0, 0),
    "silence_receiver": (60, 1, 5),
}
PROFILES = {
    "none": (),
    "all": tuple(NEMESES),
    "processes": ("kill_web", "restart_web", "kill_worker", "kill_relay", "stop_worker"),
    "webhooks": ("kill_publishers", "kill_receiver", "silence_receiver"),
    "database": ("kill_postgres", "kill_postgres_unflushed", "terminate_sessions", "hold_transaction", "refresh_view"),
    "redis": ("kill_redis", "flush_redis", "silence_redis", "drop_bells"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Everything that a seed decides: the steps of each client and the faults."""

    seed: int
    seconds: float
    workload: str
    steps: Mapping[str, tuple[Step, ...]]
    faults: tuple[Fault, ...]

    def least_fired(self) -> int:
        """Say how often each kind of fault must have fired."""
        return LEAST_LONG if self.seconds >= LONG_SECONDS else LEAST_SHORT

    def write(self, path: Path) -> None:
        """Write it down, one line per step or fault."""
        with path.open("w") as file:
            head = {"seed": self.seed, "seconds": self.seconds, "workload": self.workload}
            file.write(f"{json.dumps(head)}\n")
            for client, steps in self.steps.items():
                file.writelines(f"{json.dumps({'client': client} | asdict(step))}\n" for step in steps)
            file.writelines(f"{json.dumps({'fault': asdict(fault)})}\n" for fault in self.faults)


def read_steps(path: Path, client: str) -> list[Step]:
    """Read the steps of one client from a written schedule."""
    rows = (json.loads(line) for line in path.read_text().splitlines())
    return [
        Step(**{name: value for name, value in row.items() if name != "client"})
        for row in rows
        if row.get("client") == client
    ]


def clients() -> dict[str, str]:
    """Name the clients, and who each of them is; the handlers' clients are `direct`."""
    http = {str(number): name for number, name in enumerate(HTTP_CLIENTS)}
    return http | {f"d{number}": "direct" for number in range(DIRECT_CLIENTS)}


def make(seed: int, seconds: float, workload: str, kinds: Mapping[str, int]) -> Schedule:
    """Make the schedule of a seed."""
    steps = {
        client: tuple(_steps(Random(f"{seed} {client}"), seconds, WORKLOADS[workload], who))
        for client, who in clients().items()
    }
    faults = sorted(_faults(Random(f"{seed} nemesis"), seconds, kinds), key=lambda fault: fault.at)
    return Schedule(seed=seed, seconds=seconds, workload=workload, steps=steps, faults=tuple(faults))


def kinds_of(text: str) -> dict[str, int]:
    """Read `profile,kind,kind:4`: which faults, and how often each, 0 for its own rhythm; raises KeyError."""
    found: dict[str, int] = {}
    for word in text.split(","):
        name, _, times = word.partition(":")
        found |= {kind: int(times or 0) for kind in PROFILES.get(name, (name,))}
    for kind in found.keys() - NEMESES.keys():
        raise KeyError(kind)
    return found


def _faults(random: Random, seconds: float, kinds: Mapping[str, int]) -> Iterator[Fault]:
    """Spread each kind over the run, one in each of as many equal shares; a long run gets one more than it needs."""
    least = LEAST_LONG + 1 if seconds >= LONG_SECONDS else LEAST_SHORT
    first, last = 0.05 * seconds, 0.85 * seconds
    for kind, times in kinds.items():
        every, shortest, longest = NEMESES[kind]
        count = times or max(least, round(seconds / every))
        share = (last - first) / count
        for number in range(count):
            at = first + (number + random.random()) * share
            lasting = min(random.uniform(shortest, longest), max(shortest, (last - first) / 3))
            yield Fault(at=round(at, 3), kind=kind, seconds=round(lasting, 3), aim=random.randrange(1 << 30))


def _steps(random: Random, seconds: float, workload: Workload, who: str) -> Iterator[Step]:
    weights = CUSTOMERS_DO if who in CUSTOMERS else workload.commands
    at = 0.0
    while (at := at + random.expovariate(workload.rate)) < seconds:
        do = _choose(random, weights)
        mode = _choose(random, workload.modes)
        yield Step(
            at=round(at, 3),
            do=do,
            mode="plain" if who == "direct" and mode in ("cut", "abandoned") else mode,
            aim=random.randrange(1 << 30),
            said=_said(random, do, workload),
        )


def _said(random: Random, do: str, workload: Workload) -> dict[str, Any]:
    """Draw what a command says, as far as that does not depend on what it hits."""
    products = PRODUCTS[: workload.products]
    match do:
        case "PlaceOrder":
            count = random.choice((1, 1, 2, 3))
            lines = [[_sku(random, products), random.randint(1, 4)] for _ in range(count)]
            return {
                "lines": lines,
                "guest": random.random() < 0.3,
                "country": random.choice(("France", "Japan")),
            }
        case "CreditOrder":
            return {"qty": random.randint(1, 3), "price": random.choice((None, None, "0.5000"))}
        case "RecordCreditNote":
            return {
                "sku": random.choice((*products, "unlisted")),
                "qty": random.randint(1, 3),
                "price": "1.0250",
            }
        case "RepriceProduct":
            return {"sku": random.choice(products), "price": f"{random.randint(1_000, 99_999) / 10_000:.4f}"}
        case "RestockProduct":
            return {"sku": random.choice(products), "qty": random.randint(1, workload.pieces)}
        case "SetCreditLimit":
            return {"user": random.choice(("ada", "bob")), "limit": str(random.randint(50, 400))}
        case "ListProduct":
            return {"price": f"{random.randint(100, 900)}.0000", "on_hand": random.randint(0, 9)}
        case "ChargePayment":
            return {"wrong": random.random() < 0.1}
    return {}


def _sku(random: Random, products: tuple[str, ...]) -> str:
    return "unlisted" if random.random() < 0.01 else random.choice(products)


def _choose(random: Random, weights: Mapping[str, int]) -> str:
    return random.choices(list(weights), list(weights.values()))[0]
