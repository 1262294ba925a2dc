"""Whatever the order in which writers write, commit and give up: positions are dense and versions arrive in order."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyFailure

from outbox.delivery import Delivery
from tests.mutants.relays import IdentityPoller, OldestTransactionPoller
from tests.outbox.guarantees import Broken, LogCarrier, MakeCarrier, expect, in_version_order
from tests.outbox.world import World, put

WRITERS = 3
AGGREGATES = 2

kinds = st.sampled_from(["begin", "put", "put", "put", "commit", "commit", "rollback", "carry", "carry"])
steps = st.tuples(kinds, st.integers(0, WRITERS - 1), st.integers(1, AGGREGATES))
histories = st.lists(steps, min_size=12, max_size=30)


class Writers:
    """Writers that lock an aggregate before they append to it, as the write side does."""

    def __init__(self, world: World) -> None:
        self.connections = [world.writer() for _ in range(WRITERS)]
        self.owners: dict[int, int] = {}
        self.pending: list[list[int]] = [[] for _ in range(WRITERS)]
        self.committed: list[tuple[int, int]] = []

    def put(self, writer: int, aggregate_id: int) -> None:
        """Append the next version, unless another writer holds the aggregate (it would wait)."""
        if self.owners.setdefault(aggregate_id, writer) == writer:
            self.pending[writer].append(aggregate_id)
            version = self._count(aggregate_id) + self.pending[writer].count(aggregate_id)
            put(self.connections[writer], (aggregate_id, version))

    def begin(self, writer: int) -> None:
        """Let the transaction have its number before it writes a message, as an idempotency key does."""
        self.connections[writer].execute("SELECT pg_current_xact_id()")

    def commit(self, writer: int) -> None:
        """Commit, which makes what was put true."""
        self.connections[writer].commit()
        for aggregate_id in self.pending[writer]:
            self.committed.append((aggregate_id, self._count(aggregate_id) + 1))
        self._release(writer)

    def rollback(self, writer: int) -> None:
        """Take everything back."""
        self.connections[writer].rollback()
        self._release(writer)

    def _count(self, aggregate_id: int) -> int:
        return sum(known == aggregate_id for known, _ in self.committed)

    def _release(self, writer: int) -> None:
        self.pending[writer] = []
        self.owners = {key: owner for key, owner in self.owners.items() if owner != writer}


def holds_for(world: World, make: MakeCarrier, history: list[Any]) -> None:
    """Play a history; the subscriber must get every committed event, each aggregate's in order."""
    carrier, writers = make(world), Writers(world)
    for step, writer, aggregate_id in history:
        match step:
            case "put":
                writers.put(writer, aggregate_id)
            case "carry":
                carrier.carry()
                in_version_order(carrier.got)
            case _:
                getattr(writers, step)(writer)
    for writer in range(WRITERS):
        writers.commit(writer)
    carrier.carry()
    in_version_order(carrier.got)
    expect(sorted(carrier.got), sorted(writers.committed))


Play = Callable[[MakeCarrier, list[Any]], None]
property_settings = settings(
    max_examples=40,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
hunt = settings(
    property_settings,
    max_examples=1000,
    phases=[Phase.generate],
    derandomize=True,
    report_multiple_bugs=False,
)


@property_settings
@given(history=histories)
def test_positions_are_dense_and_versions_in_order(
    world: World, empty_database: Callable[[], object], history: list[Any]
) -> None:
    world.close_clients()
    empty_database()
    holds_for(world, LogCarrier, history)
    positions = world.positions()
    assert positions == list(range(1, len(positions) + 1))
    delivery = Delivery(world.worker())
    delivery.drain()
    expected: dict[int, list[int]] = {}
    for aggregate_id, version in world.ask(
        "SELECT aggregate_id, aggregate_version FROM event_log ORDER BY aggregate_id, aggregate_version"
    ):
        expected.setdefault(aggregate_id, []).append(version)
    assert world.versions() == expected


@pytest.mark.parametrize(
    ("mutant", "deaths"),
    [
        (IdentityPoller, Broken),
        # One that waits for foreign transactions breaks by chance only, which Hypothesis calls flaky.
        (OldestTransactionPoller, (Broken, FlakyFailure)),
    ],
)
def test_a_history_is_found_that_a_mutant_breaks(
    world: World, empty_database: Callable[[], object], mutant: MakeCarrier, deaths: Any
) -> None:
    @hunt
    @given(history=histories)
    def play(history: list[Any]) -> None:
        world.close_clients()
        empty_database()
        holds_for(world, mutant, history)

    with pytest.raises(deaths):
        play()
