"""A poison event parks its aggregate, in order; all other aggregates, and all other projections, go on (G9)."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from pytest_django import Settings

from outbox import dead_letters
from outbox.attempts import Attempts
from outbox.careful import CarefulDelivery
from outbox.delivery import Delivery
from outbox.exceptions import StaleCheckpoint
from tests.mutants import careful as mutants
from tests.outbox.conftest import Subscribe
from tests.outbox.guarantees import Broken, expect
from tests.outbox.world import FRAGILE, SEEN, World, put, seen

MakeCareful = Callable[[psycopg.Connection[Any]], CarefulDelivery]
LETTERS = """
SELECT position, aggregate_id, aggregate_version, state, attempts, error_type FROM dead_letters
 WHERE subscriber = 'fragile' ORDER BY dead_letter_id
"""
DUE = "UPDATE dead_letters SET next_attempt_at = now() WHERE state = 'waiting'"
MEND = """
UPDATE projection_generations
   SET statements_hash = 'mended', statements = replace(statements::text, ' / ', ' * ')::jsonb
 WHERE projection = 'fragile'
"""
MAKE_DEADLY = """
UPDATE projection_generations
   SET statements_hash = 'deadly', statements = jsonb_set(statements, '{0,sql}', to_jsonb(%s::text))
 WHERE projection = 'fragile'
"""
# Folds that end their own session, or never end, at a poison event. They stand in the place of the version's sum.
DEADLY = SEEN.replace(
    "max(position)",
    "max(position) * max(CASE event_type WHEN 'Poison' THEN pg_terminate_backend(pg_backend_pid())::int ELSE 1 END)",
)
ENDLESS = SEEN.replace(
    "max(position)",
    "max(position) * max(CASE event_type WHEN 'Poison' THEN length(pg_sleep(60)::text) + 1 ELSE 1 END)",
)


@pytest.fixture
def fragile(world: World, subscribe: Subscribe) -> World:
    """Give a world with a projection that cannot fold the event `Poison`, beside one that can."""
    subscribe(seen("fragile", FRAGILE))
    return world


def deliver(world: World, make: MakeCareful = CarefulDelivery) -> None:
    """Deliver what can be delivered, by the common rounds and by itself."""
    together, careful = Delivery(world.worker()), make(world.worker())
    together.drain()
    while careful.run_due():
        together.drain()


def parks_the_aggregate(world: World, make: MakeCareful) -> None:
    """Check that a poison event and what follows it in its aggregate wait, in order, and that nothing else does."""
    world.commit(*((aggregate_id, 1) for aggregate_id in range(1, 50)))
    world.commit((7, 2), event_type="Poison")
    world.commit((7, 3), (8, 2))
    deliver(world, make)
    world.commit((7, 4), (9, 2))
    deliver(world, make)
    whole = {aggregate_id: [1] for aggregate_id in range(1, 50)} | {8: [1, 2], 9: [1, 2]}
    expect(world.versions("fragile"), whole)
    expect(world.versions(), whole | {7: [1, 2, 3, 4]})
    expect(world.checkpoint("fragile"), 54)
    expect(world.ask(LETTERS), [(50, 7, 2, "waiting", 1, "DivisionByZero")])
    expect(world.ask("SELECT FROM delivery_failures"), [])


def takes_in_what_was_parked(world: World, make: MakeCareful) -> None:
    """Check that after the fold was mended the parked events arrive in order, once, and rows get the checkpoint."""
    parks_the_aggregate(world, CarefulDelivery)
    world.watcher.execute(MEND)
    world.watcher.execute(DUE)
    deliver(world, make)
    expect(world.versions("fragile"), world.versions())
    expect(world.ask("SELECT row_version FROM read_fragile_g1 WHERE aggregate_id = 7"), [(54,)])
    expect([row[3] for row in world.ask(LETTERS)], ["delivered"])
    world.commit((7, 5))
    deliver(world, make)
    expect(world.versions("fragile")[7], [1, 2, 3, 4, 5])


def test_a_poison_event_parks_its_aggregate_and_nothing_else(fragile: World) -> None:
    parks_the_aggregate(fragile, CarefulDelivery)


@pytest.mark.parametrize("mutant", [mutants.Dropper, mutants.StandsStill])
def test_who_parks_otherwise_is_caught(fragile: World, mutant: MakeCareful) -> None:
    with pytest.raises(Broken):
        parks_the_aggregate(fragile, mutant)


def test_what_was_parked_is_taken_in_after_the_mending(fragile: World) -> None:
    takes_in_what_was_parked(fragile, CarefulDelivery)


@pytest.mark.parametrize("mutant", [mutants.ForgetsTheFollowing, mutants.EarlyRetry])
def test_who_takes_it_in_otherwise_is_caught(fragile: World, mutant: MakeCareful) -> None:
    with pytest.raises(Broken):
        takes_in_what_was_parked(fragile, mutant)


def test_a_batch_is_halved_and_not_tried_event_by_event(fragile: World) -> None:
    fragile.commit(*((aggregate_id, 1) for aggregate_id in range(1, 1001)))
    fragile.commit((777, 2), event_type="Poison")
    fragile.commit(*((aggregate_id, 1) for aggregate_id in range(1001, 2000)))
    Delivery(fragile.worker()).drain()
    attempts = Attempts()
    CarefulDelivery(fragile.worker(), attempts).run_due()
    rounds = fragile.ask("SELECT count(*) FROM checkpoints WHERE subscriber = 'fragile'")[0][0]
    attempts.close()
    assert rounds <= 12
    assert fragile.checkpoint("fragile") == 2000


def test_an_attempt_is_tried_again_with_pauses_and_then_waits_for_a_person(
    fragile: World, settings: Settings
) -> None:
    settings.OUTBOX = settings.OUTBOX | {"MAX_ATTEMPTS": 3}
    fragile.commit((7, 1), event_type="Poison")
    deliver(fragile)
    for _ in range(5):
        fragile.watcher.execute(DUE)
        deliver(fragile)
    assert fragile.ask(LETTERS) == [(1, 7, 1, "parked", 3, "DivisionByZero")]
    assert fragile.ask("SELECT next_attempt_at FROM dead_letters") == [(None,)]


def test_pauses_between_attempts_double(fragile: World, settings: Settings) -> None:
    settings.OUTBOX = settings.OUTBOX | {"MAX_ATTEMPTS": 30}
    fragile.commit((7, 1), event_type="Poison")
    deliver(fragile)
    pauses = []
    for _ in range(14):
        pauses += fragile.ask(
            "SELECT extract(epoch FROM next_attempt_at - last_failed_at)::float FROM dead_letters"
        )
        fragile.watcher.execute(DUE)
        CarefulDelivery(fragile.worker()).run_due()
    seconds = [pause for (pause,) in pauses]
    assert all(0.4 * 2**number < pause < 1.1 * 2**number for number, pause in enumerate(seconds[:9]))
    assert max(seconds) <= 601


def test_an_attempt_counts_although_it_kills_the_worker(fragile: World) -> None:
    fragile.commit((7, 1), event_type="Poison")
    deliver(fragile)
    fragile.watcher.execute(MAKE_DEADLY, [DEADLY])
    fragile.watcher.execute(DUE)
    with pytest.raises(psycopg.OperationalError):
        CarefulDelivery(fragile.worker()).run_due()
    assert fragile.ask("SELECT attempts FROM dead_letters") == [(2,)]


def kills_and_is_found(world: World, make: MakeCareful) -> None:
    """Check that an event that ends every worker's session is found by their notes, and parked."""
    world.commit((1, 1), (2, 1), (3, 1))
    world.commit((7, 1), event_type="Poison")
    world.commit((4, 1), (7, 2))
    for _ in range(20):
        attempts = Attempts()
        try:
            Delivery(world.worker(), attempts=attempts).drain()
            make(world.worker()).run_due()
        except psycopg.OperationalError:
            continue
        finally:
            attempts.close()
    expect(world.versions(), {1: [1], 2: [1], 3: [1], 4: [1], 7: [1, 2]})
    expect(world.versions("fragile"), {1: [1], 2: [1], 3: [1], 4: [1]})
    letters = world.ask("SELECT position, aggregate_id, aggregate_version, error_type FROM dead_letters")
    expect(letters, [(4, 7, 1, "AttemptNeverEnded")])


@pytest.fixture
def noting() -> Iterator[MakeCareful]:
    """Give careful deliveries that are each an owner of its own, as after a restart."""
    owners: list[Attempts] = []

    def make(connection: psycopg.Connection[Any]) -> CarefulDelivery:
        owners.append(Attempts())
        return CarefulDelivery(connection, owners[-1])

    yield make
    for owner in owners:
        owner.close()


def test_an_event_that_kills_is_found_and_parked(
    world: World, subscribe: Subscribe, noting: MakeCareful
) -> None:
    subscribe(seen("fragile", DEADLY))
    kills_and_is_found(world, noting)


def test_without_notes_an_event_that_kills_is_never_found(world: World, subscribe: Subscribe) -> None:
    subscribe(seen("fragile", DEADLY))
    with pytest.raises(Broken):
        kills_and_is_found(world, CarefulDelivery)


def test_an_event_that_never_returns_is_parked(
    world: World, subscribe: Subscribe, settings: Settings
) -> None:
    settings.OUTBOX = settings.OUTBOX | {"ROUND_TIMEOUT_SECONDS": 0.2, "STATEMENT_TIMEOUT_SECONDS": 0.2}
    subscribe(seen("fragile", ENDLESS))
    world.commit((1, 1), (2, 1))
    world.commit((7, 1), event_type="Poison")
    world.commit((3, 1))
    deliver(world)
    assert world.versions() == {1: [1], 2: [1], 3: [1], 7: [1]}
    assert world.versions("fragile") == {1: [1], 2: [1], 3: [1]}
    assert world.ask(LETTERS) == [(3, 7, 1, "waiting", 1, "QueryCanceled")]


def test_an_event_that_no_code_knows_is_parked_for_everyone(fragile: World, settings: Settings) -> None:
    fragile.commit((1, 1), (7, 1))
    fragile.commit((7, 2), event_type="ParcelTeleported")
    fragile.commit((7, 3), (2, 1))
    deliver(fragile)
    assert fragile.versions() == fragile.versions("fragile") == {1: [1], 2: [1], 7: [1]}
    letters = fragile.ask(
        "SELECT subscriber, position, error_type, error_message FROM dead_letters ORDER BY 1"
    )
    message = "no code knows ParcelTeleported in schema version 1"
    assert letters == [(name, 3, "UnknownEvent", message) for name in ("fragile", "seen")]
    settings.OUTBOX = settings.OUTBOX | {"EVENTS": "tests.outbox.test_careful.NEXT_RELEASE"}
    fragile.watcher.execute(DUE)
    deliver(fragile)
    assert fragile.versions() == fragile.versions("fragile") == {1: [1], 2: [1], 7: [1, 2, 3]}


NEXT_RELEASE = {"ParcelMoved": 1, "ParcelTeleported": 1}


def test_a_schema_version_that_no_code_knows_is_parked(world: World) -> None:
    with world.watcher.transaction():
        put(world.watcher, (1, 1), (7, 1))
        world.watcher.execute("UPDATE outbox SET schema_version = 2 WHERE aggregate_id = 7")
    deliver(world)
    assert world.versions() == {1: [1]}
    assert world.ask("SELECT schema_version, error_type FROM dead_letters") == [(2, "UnknownEvent")]


def test_who_fails_at_everything_stops_and_parks_no_more(fragile: World, settings: Settings) -> None:
    settings.OUTBOX = settings.OUTBOX | {"MOST_PARKED": 3}
    for aggregate_id in range(1, 8):
        fragile.commit((aggregate_id, 1), event_type="Poison")
    deliver(fragile)
    assert len(fragile.ask(LETTERS)) == 3
    assert fragile.checkpoint("fragile") == 3
    assert fragile.ask("SELECT subscriber, error_type FROM delivery_failures") == [
        ("fragile", "TooManyParked")
    ]
    assert fragile.checkpoint() == 7


def test_what_says_nothing_about_an_event_parks_nothing(world: World, subscribe: Subscribe) -> None:
    subscribe(seen("fragile", SEEN))
    world.commit((1, 1))
    locker = world.writer()
    locker.execute("LOCK TABLE read_fragile_g1")
    hasty = world.worker()
    hasty.execute("SET lock_timeout = '50ms'")
    Delivery(hasty).drain()
    CarefulDelivery(hasty).run_due()
    assert world.ask("SELECT attempts, error_type FROM delivery_failures") == [(2, "LockNotAvailable")]
    locker.rollback()
    world.watcher.execute("UPDATE delivery_failures SET next_attempt_at = now()")
    deliver(world)
    assert world.versions("fragile") == {1: [1]}
    assert world.ask("SELECT FROM dead_letters") == []


def test_a_failed_attempt_that_came_to_an_end_makes_nobody_suspect(fragile: World) -> None:
    attempts = Attempts()
    fragile.commit((7, 1), event_type="Poison")
    Delivery(fragile.worker(), attempts=attempts).drain()
    attempts.close()
    assert fragile.ask("SELECT members FROM delivery_attempts") == [(["seen 1"],)]


def test_two_workers_do_not_both_retry_a_letter(fragile: World) -> None:
    fragile.commit((7, 1), event_type="Poison")
    deliver(fragile)
    fragile.watcher.execute(DUE)
    worker = fragile.worker()
    (letter,) = dead_letters.due_to_projections(worker)
    assert dead_letters.begin_attempt(worker, letter)
    assert not dead_letters.begin_attempt(worker, letter)


def delivers_once(world: World, make: MakeCareful) -> None:
    """Check that who begins an attempt, sleeps, and comes second, delivers nothing again and moves nothing back."""
    parks_the_aggregate(world, CarefulDelivery)
    world.watcher.execute(MEND)
    world.watcher.execute(DUE)
    sleeper, other = make(world.worker()), make(world.worker())
    (letter,) = dead_letters.due_to_projections(sleeper.connection)
    assert dead_letters.begin_attempt(sleeper.connection, letter)
    world.watcher.execute(DUE)
    other.run_due()
    with suppress(StaleCheckpoint):
        sleeper._deliver(letter, letter.event)
    expect(world.versions("fragile"), world.versions())


def test_who_comes_second_delivers_nothing_again(fragile: World) -> None:
    delivers_once(fragile, CarefulDelivery)


def test_who_does_not_ask_where_the_letter_stands_is_caught(fragile: World) -> None:
    with pytest.raises(Broken):
        delivers_once(fragile, mutants.Sleepwalker)


def test_a_late_failure_moves_no_letter_back(fragile: World) -> None:
    fragile.commit((7, 1), event_type="Poison")
    fragile.commit((7, 2))
    deliver(fragile)
    worker = fragile.worker()
    (letter,) = dead_letters.open_letters(worker, "fragile", 1)
    later = dead_letters.following(worker, letter.event, up_to=2)
    assert later is not None
    dead_letters.move_on(worker, letter, later)
    assert dead_letters.fail_again(worker, letter, letter.event, letter.failure) == "moved on"
    assert fragile.ask("SELECT position, attempts FROM dead_letters") == [(2, 1)]
    dead_letters.settle(worker, letter, "delivered")
    assert dead_letters.fail_again(worker, letter, later, letter.failure) == "moved on"
    assert fragile.ask("SELECT state FROM dead_letters") == [("delivered",)]


def test_a_kept_generation_has_dead_letters_of_its_own(fragile: World, subscribe: Subscribe) -> None:
    subscribe(seen("fragile", SEEN), generation=2, state="kept")
    fragile.commit((7, 1), event_type="Poison")
    deliver(fragile)
    assert fragile.versions("fragile", 2) == {7: [1]}
    assert fragile.ask("SELECT generation FROM dead_letters") == [(1,)]


def test_a_paused_projection_is_left_alone(fragile: World) -> None:
    fragile.watcher.execute(
        "INSERT INTO paused_subscribers (subscriber, reason, actor) VALUES ('fragile', 'a look at it', 'shell:ada')"
    )
    fragile.commit((7, 1), event_type="Poison")
    deliver(fragile)
    assert (fragile.checkpoint(), fragile.checkpoint("fragile")) == (1, 0)
    assert fragile.ask("SELECT FROM dead_letters") == []
    fragile.watcher.execute("DELETE FROM paused_subscribers")
    deliver(fragile)
    assert fragile.ask(LETTERS) == [(1, 7, 1, "waiting", 1, "DivisionByZero")]
