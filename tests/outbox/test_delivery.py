"""Every event reaches every projection once and in order; what fails stops alone."""

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import transaction

from outbox import checkpoints, delivery, folding
from outbox.delivery import Delivery
from outbox.exceptions import InsideTransaction
from outbox.folds import GenerationKey
from outbox.relay import Relay
from tests.mutants import deliveries as mutants
from tests.outbox.conftest import Subscribe
from tests.outbox.guarantees import Broken, expect, wait_until_done_or_blocked
from tests.outbox.world import FRAGILE, World, put, seen

MakeDelivery = Callable[[psycopg.Connection[Any]], Delivery]


def key_of(world: World, name: str = "seen") -> GenerationKey:
    query = "SELECT projection, generation, statements_hash FROM projection_generations WHERE projection = $1"
    return GenerationKey(*world.ask(query, name)[0])


def refuses_a_zombie(world: World, advance: Callable[..., None] = folding.advance) -> None:
    """Check that a worker that read an old checkpoint changes nothing when it wakes up."""
    world.commit((1, 1), (1, 2))
    zombie = world.writer()
    Delivery(world.worker()).drain()
    world.commit((1, 3))
    Delivery(world.worker()).drain()
    for old in ((0, 2), (0, 3), (1, 3), (2, 3)):
        try:
            advance(zombie, [key_of(world)], *old)
            zombie.commit()
        except psycopg.Error as error:
            zombie.rollback()
            expect(checkpoints.is_stale(error), True)
    expect(world.versions(), {1: [1, 2, 3]})
    expect(world.checkpoint(), 3)


def stops_alone(world: World, make: MakeDelivery) -> None:
    """Check that a projection that cannot fold an event is taken out of the common rounds; the others go on."""
    world.commit((1, 1), (1, 2))
    world.commit((2, 1), event_type="Poison")
    world.commit((1, 3))
    make(world.worker()).drain()
    expect(world.versions(), {1: [1, 2, 3], 2: [1]})
    expect(world.versions("fragile"), {})
    expect(world.checkpoint("fragile"), 0)
    expect(world.ask("SELECT subscriber, to_position FROM delivery_failures"), [("fragile", 4)])


def test_a_zombie_is_refused(world: World) -> None:
    refuses_a_zombie(world)


def test_without_compare_and_set_a_zombie_folds_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "MOVE", mutants.HEEDLESS_MOVE)
    with pytest.raises(Broken):
        refuses_a_zombie(world)


def test_with_the_checkpoint_in_a_transaction_of_its_own_a_zombie_folds_twice(world: World) -> None:
    with pytest.raises(Broken):
        refuses_a_zombie(world, mutants.fold_then_move)


def test_a_zombie_is_refused_after_its_checkpoints_were_swept(world: World) -> None:
    world.commit((1, 1))
    Delivery(world.worker()).drain()
    world.commit((1, 2))
    Delivery(world.worker()).drain()
    assert checkpoints.sweep(world.worker(), keep_seconds=0) == 1
    zombie = world.writer()
    with pytest.raises(psycopg.Error) as refusal:
        folding.advance(zombie, [key_of(world)], 0, 2)
    zombie.rollback()
    assert checkpoints.is_stale(refusal.value)
    assert world.checkpoint() == 2


def test_of_two_at_the_same_moment_the_second_is_refused(world: World) -> None:
    world.commit((1, 1))
    Relay().run_once(world.worker())
    folding.FOLDS.load(world.worker(), [key_of(world)])
    one, other, key = world.writer(), world.writer(), key_of(world)
    refusals: list[psycopg.Error] = []

    def come_second() -> None:
        try:
            folding.advance(other, [key], 0, 1)
        except psycopg.Error as refusal:
            refusals.append(refusal)

    folding.advance(one, [key], 0, 1)
    second = threading.Thread(target=come_second)
    second.start()
    wait_until_done_or_blocked(world, second, other)
    one.commit()
    second.join()
    other.rollback()
    assert isinstance(refusals[0], psycopg.errors.UniqueViolation)
    assert checkpoints.is_stale(refusals[0])
    assert world.versions() == {1: [1]}


def test_a_worker_leaves_alone_what_another_holds(world: World) -> None:
    world.commit((1, 1))
    worker, holder = Delivery(world.worker()), world.writer()
    worker.relay.run_once(worker.connection)
    folding.hold(holder, "seen", 1)
    result = worker.run_round()
    assert (result.events, result.is_busy) == (0, True)
    holder.rollback()
    assert worker.run_round().events == 1


def test_a_failing_projection_stops_alone(world: World, subscribe: Subscribe) -> None:
    subscribe(seen("fragile", FRAGILE))
    stops_alone(world, Delivery)


@pytest.mark.parametrize("mutant", [mutants.AllOrNothing, mutants.Skipper])
def test_a_mutant_does_not_stop_alone(world: World, subscribe: Subscribe, mutant: MakeDelivery) -> None:
    subscribe(seen("fragile", FRAGILE))
    with pytest.raises(Broken):
        stops_alone(world, mutant)


def test_a_projection_that_lags_joins_the_others(world: World, subscribe: Subscribe) -> None:
    world.commit((1, 1), (1, 2), (1, 3))
    worker = Delivery(world.worker())
    worker.drain()
    subscribe(seen("late"))
    world.commit((1, 4))
    worker.drain()
    assert world.versions("late") == world.versions() == {1: [1, 2, 3, 4]}
    joined = world.ask(
        "SELECT from_position, to_position FROM checkpoints WHERE subscriber = 'late' ORDER BY 1"
    )
    assert joined in ([(0, 3), (3, 4)], [(0, 4)])


def test_generations_are_fed_by_state(world: World, subscribe: Subscribe) -> None:
    subscribe(seen(), generation=2, state="kept")
    subscribe(seen(), generation=3, state="building")
    world.commit((1, 1))
    Delivery(world.worker()).drain()
    assert [world.versions("seen", generation) for generation in (1, 2, 3)] == [{1: [1]}, {1: [1]}, {}]


def test_a_large_backlog_is_folded_in_batches(world: World) -> None:
    world.commit(*((aggregate_id, 1) for aggregate_id in range(1, 301)))
    worker = Delivery(world.worker())
    worker.batch_size = 120
    assert worker.drain() == 300
    assert len(world.versions()) == 300
    assert world.ask("SELECT to_position FROM checkpoints ORDER BY 1") == [(120,), (240,), (300,)]


def test_personal_data_reaches_a_fold_until_it_is_erased(bare_world: World, subscribe: Subscribe) -> None:
    length = "length(coalesce(personal ->> 'name', ''))"
    fold = f"INSERT INTO {{table}} SELECT aggregate_id, ARRAY[{length}], position FROM batch"
    subscribe(seen("names", fold))
    with bare_world.watcher.transaction():
        put(bare_world.watcher, (1, 1), (2, 1))
        bare_world.watcher.execute(
            'INSERT INTO event_personal SELECT event_id, 5, \'{"name": "Ada"}\' FROM outbox WHERE aggregate_id = 1'
        )
    Delivery(bare_world.worker()).drain()
    assert bare_world.versions("names") == {1: [3], 2: [0]}


def test_a_fold_that_does_not_commit_moves_no_checkpoint(world: World) -> None:
    world.commit((1, 1))
    worker = Delivery(world.worker())
    worker.relay.run_once(worker.connection)
    folding.FOLDS.load(worker.connection, [key_of(world)])
    dying = world.writer()
    folding.advance(dying, [key_of(world)], 0, 1)
    dying.close()
    assert (world.versions(), world.checkpoint()) == ({}, 0)
    worker.drain()
    assert world.versions() == {1: [1]}


def test_draining_stops_when_told_to(world: World) -> None:
    world.commit((1, 1))
    assert Delivery(world.worker()).drain(is_stopping=lambda: True) == 0


def test_the_short_forms_use_djangos_connection_outside_transactions_only(world: World) -> None:
    world.commit((1, 1))
    with transaction.atomic(), pytest.raises(InsideTransaction):
        delivery.drain()
    assert delivery.drain() == 1
    assert delivery.run_round().events == 0
