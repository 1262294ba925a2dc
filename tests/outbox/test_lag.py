"""Lag is computed from the tables, messages that are not yet relayed included; each trouble has a status."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from outbox import lag as lag_module
from outbox.delivery import Delivery
from outbox.heartbeats import PUBLISHERS, Heartbeat
from outbox.lag import LAG, LIMITS, Lag, Status, lags, look, worst
from tests.mutants import lags as mutants
from tests.outbox.conftest import Subscribe
from tests.outbox.world import World, seen

PARK = """
INSERT INTO dead_letters (subscriber, generation, position, event_type, schema_version, aggregate_type, aggregate_id,
                          aggregate_version, state, attempts, error_type, error_message, fingerprint,
                          next_attempt_at, settled_at)
VALUES ($1, $2, 1, 'ParcelMoved', 1, 'parcel', $3, 1, $4, 1, 'ValueError', 'no', 'ValueError',
        CASE WHEN $4 = 'waiting' THEN clock_timestamp() END,
        CASE WHEN $4 IN ('delivered', 'skipped') THEN clock_timestamp() END)
RETURNING 1
"""
PAUSE = "INSERT INTO paused_subscribers (subscriber, reason, actor) VALUES ($1, $2, 'shell:ada') RETURNING 1"
PUBLISH = "INSERT INTO publishers (subscriber, kind, partitions, from_position) VALUES ($1, 'test', $2, $3) RETURNING 1"
STAND = "INSERT INTO checkpoints (subscriber, generation, from_position, to_position) VALUES ($1, 1, 0, $2) RETURNING 1"
OLD_MESSAGES = "UPDATE outbox SET recorded_at = clock_timestamp() - interval '2 minutes'"
OLD_CHECKPOINTS = "UPDATE checkpoints SET created_at = clock_timestamp() - interval '2 minutes'"
OLD_GENERATIONS = "UPDATE projection_generations SET created_at = clock_timestamp() - interval '2 minutes'"

unbuilt = seen("unbuilt")


@pytest.fixture(autouse=True)
def no_registry(settings: Settings) -> None:
    """Let no projection of the product be missed."""
    settings.OUTBOX = settings.OUTBOX | {"SUBSCRIBERS": [], "SLA_SECONDS": {}, "STALL_SECONDS": 60}


@pytest.fixture
def heart(world: World) -> Heartbeat:
    """Let a worker be alive."""
    heart = Heartbeat("run_delivery")
    heart.beat(world.watcher)
    return heart


def the_lag(subscriber: str = "seen") -> Lag:
    (found,) = [lag for lag in lags() if lag.subscriber == subscriber]
    return found


def relay(world: World) -> None:
    Delivery(world.worker()).relay.run_once(world.worker())


def deliver(world: World) -> None:
    Delivery(world.worker()).drain()


def test_with_nothing_to_deliver_all_is_well(world: World, heart: Heartbeat) -> None:
    assert (the_lag().events_behind, the_lag().status, worst()) == (0, Status.OK, Status.OK)


def test_a_message_that_nobody_relayed_counts(world: World) -> None:
    world.commit((1, 1))

    assert (the_lag().events_behind, the_lag().head, look().messages) == (1, 0, 1)
    assert the_lag().seconds_behind > 0


def test_an_event_that_nobody_folded_counts(world: World) -> None:
    world.commit((1, 1), (1, 2))
    relay(world)
    world.commit((1, 3))

    assert (the_lag().position, the_lag().head, the_lag().events_behind) == (0, 2, 3)


def test_a_lag_within_the_sla_is_well(world: World, heart: Heartbeat) -> None:
    world.commit((1, 1))

    assert (the_lag().status, worst()) == (Status.OK, Status.OK)


def test_the_age_is_that_of_the_oldest_undelivered_event(world: World, heart: Heartbeat) -> None:
    world.commit((1, 1))
    world.watcher.execute(OLD_MESSAGES)
    world.commit((1, 2))

    assert 120 <= the_lag().seconds_behind < 180


def test_a_subscriber_has_an_sla_of_its_own(world: World, subscribe: Subscribe, settings: Settings) -> None:
    settings.OUTBOX = settings.OUTBOX | {"SLA_SECONDS": {"default": 1, "patient": 500}}
    subscribe(seen("patient"))
    world.commit((1, 1))
    world.watcher.execute(OLD_MESSAGES)

    assert (the_lag("patient").sla_seconds, the_lag("patient").status) == (500, Status.OK)
    assert (the_lag("seen").sla_seconds, the_lag("seen").status) == (1, Status.BEHIND)


def test_delivery_brings_the_lag_to_nothing(world: World) -> None:
    world.commit((1, 1))
    deliver(world)

    lag = the_lag()

    assert (lag.events_behind, lag.seconds_behind, lag.still_seconds, lag.position) == (0, 0, 0, 1)


def catching_up(world: World) -> None:
    """Move a subscriber that has old events before it still."""
    world.commit((1, 1))
    deliver(world)
    world.commit((1, 2))
    world.watcher.execute(OLD_MESSAGES)
    world.watcher.execute(OLD_GENERATIONS)
    assert (the_lag().status, the_lag().still_seconds < 60) == (Status.BEHIND, True)


def rested(world: World) -> None:
    """Give a subscriber that has had nothing to do for long a new event."""
    world.commit((1, 1))
    deliver(world)
    world.watcher.execute(OLD_CHECKPOINTS)
    world.commit((1, 2))
    assert (the_lag().status, the_lag().still_seconds < 60) == (Status.OK, True)


def unrelayed(world: World) -> None:
    """Leave a message in the outbox."""
    world.commit((1, 1))
    assert (the_lag().events_behind, look().messages) == (1, 1)


def unrelayed_age(world: World) -> None:
    """Leave an old message in the outbox."""
    world.commit((1, 1))
    world.watcher.execute(OLD_MESSAGES)
    assert the_lag().seconds_behind >= 120


def slow_partition(world: World) -> None:
    """Let one partition of a publisher stand behind the others."""
    world.commit((1, 1), (1, 2), (1, 3))
    relay(world)
    world.ask(PUBLISH, "parcels.example", 2, 0)
    world.ask(STAND, "parcels.example 1/2", 3)
    world.ask(STAND, "parcels.example 0/2", 1)
    lag = the_lag("parcels.example")
    assert (lag.kind, lag.position, lag.events_behind) == ("publisher", 1, 2)


def letters(world: World) -> None:
    """Keep dead letters of every state, and one of another generation."""
    for aggregate_id, state in enumerate(["waiting", "parked", "parked", "delivered", "skipped"]):
        world.ask(PARK, "seen", 1, aggregate_id, state)
    world.ask(PARK, "seen", 2, 9, "parked")
    assert (the_lag().waiting, the_lag().parked, the_lag().status) == (1, 2, Status.PARKED)


def dead_workers(world: World) -> None:
    """Let a worker die without a word."""
    Heartbeat("run_delivery").beat(world.watcher)
    world.watcher.execute("UPDATE delivery_workers SET beat_at = clock_timestamp() - interval '11 seconds'")
    assert (look().workers, worst(), look().silent_seconds is None) == (0, Status.NOT_RUNNING, False)


def only_publishers(world: World) -> None:
    """Let only a process live that neither relays nor folds."""
    Heartbeat(PUBLISHERS).beat(world.watcher)
    assert (look().workers, worst()) == (0, Status.NOT_RUNNING)


@pytest.mark.parametrize(
    "promise",
    [only_publishers, catching_up, rested, unrelayed, unrelayed_age, slow_partition, letters, dead_workers],
)
def test_the_lag_tells_the_truth(world: World, promise: Callable[[World], None]) -> None:
    promise(world)


@pytest.mark.parametrize(
    ("mutant", "promise"),
    [
        (mutants.CALLS_CATCHING_UP_STALLED, catching_up),
        (mutants.CALLS_REST_STALLED, rested),
        (mutants.FORGETS_UNRELAYED, unrelayed),
        (mutants.FORGETS_THE_AGE_OF_UNRELAYED, unrelayed_age),
        (mutants.BELIEVES_THE_FASTEST_PARTITION, slow_partition),
        (mutants.COUNTS_SETTLED_LETTERS, letters),
        (mutants.MIXES_GENERATIONS, letters),
        (mutants.BELIEVES_THE_DEAD, dead_workers),
        (mutants.TAKES_PUBLISHERS_FOR_WORKERS, only_publishers),
    ],
)
def test_a_lag_that_lies_is_found_out(
    world: World, monkeypatch: pytest.MonkeyPatch, mutant: str, promise: Callable[[World], None]
) -> None:
    monkeypatch.setattr(lag_module, "LAG", mutant)
    assert mutant != LAG

    with pytest.raises(AssertionError):
        promise(world)


def test_a_subscriber_that_does_not_move_with_work_waiting_is_stalled(world: World) -> None:
    world.commit((1, 1))
    deliver(world)
    world.commit((1, 2))
    world.watcher.execute(OLD_MESSAGES)
    world.watcher.execute(OLD_CHECKPOINTS)

    assert the_lag().troubles == (Status.BEHIND, Status.STALLED)
    assert the_lag().status is Status.STALLED


def test_a_subscriber_that_never_moved_is_stalled_after_a_while(world: World) -> None:
    world.commit((1, 1))
    world.watcher.execute(OLD_MESSAGES)
    assert the_lag().status is Status.BEHIND

    world.watcher.execute(OLD_GENERATIONS)

    assert the_lag().status is Status.STALLED


def test_a_failing_subscriber_is_shown_with_its_error(world: World) -> None:
    fail(world, "seen")

    lag = the_lag()

    assert (lag.status, lag.attempts, lag.error) == (Status.FAILING, 3, "UndefinedTable: no such table")
    assert lag.failing_seconds >= 30


def fail(world: World, subscriber: str) -> None:
    """Record that a subscriber has failed for half a minute."""
    world.ask(
        "INSERT INTO delivery_failures (subscriber, generation, from_position, attempts, error_type, error_message,"
        " first_failed_at, next_attempt_at) VALUES ($1, 1, 0, 3, 'UndefinedTable', 'no such table',"
        " clock_timestamp() - interval '30 s', clock_timestamp()) RETURNING 1",
        subscriber,
    )


def test_events_that_are_tried_again_are_no_more_than_that(world: World) -> None:
    world.ask(PARK, "seen", 1, 1, "waiting")

    assert (the_lag().status, the_lag().status.exit_code) == (Status.RETRYING, 1)


def test_a_pause_explains_what_stands_still(world: World, heart: Heartbeat) -> None:
    world.commit((1, 1))
    world.watcher.execute(OLD_MESSAGES)
    world.watcher.execute(OLD_GENERATIONS)
    fail(world, "seen")

    world.ask(PAUSE, "seen", "the index is being rebuilt")

    assert (the_lag().troubles, the_lag().paused) == ((Status.PAUSED,), "the index is being rebuilt")
    assert worst().exit_code == 1


def test_a_pause_does_not_hide_what_waits_for_a_person(world: World) -> None:
    world.ask(PARK, "seen", 1, 1, "parked")

    world.ask(PAUSE, "seen", "the index is being rebuilt")

    assert the_lag().status is Status.PARKED


@pytest.mark.parametrize("state", ["building", "kept"])
def test_a_generation_that_nobody_reads_is_listed_but_does_not_count(
    world: World, heart: Heartbeat, subscribe: Subscribe, state: str
) -> None:
    subscribe(seen(), generation=2, state=state)
    world.ask(PARK, "seen", 2, 1, "parked")

    assert [(lag.generation, lag.status) for lag in lags()] == [(1, Status.OK), (2, Status.PARKED)]
    assert worst() is Status.OK


def test_a_generation_that_is_built_from_the_beginning_is_not_late(
    world: World, subscribe: Subscribe
) -> None:
    subscribe(seen(), generation=2, state="building")
    world.commit((1, 1))
    Delivery(world.worker()).drain()
    world.watcher.execute("UPDATE projection_generations SET created_at = now() - interval '1 day'")

    (building,) = [lag for lag in lags() if lag.state == "building"]

    assert (building.events_behind, building.status) == (1, Status.OK)


def test_a_projection_of_the_settings_without_tables_is_missed(
    world: World, heart: Heartbeat, settings: Settings
) -> None:
    settings.OUTBOX = settings.OUTBOX | {"SUBSCRIBERS": ["tests.outbox.test_lag.unbuilt"]}

    assert (the_lag("unbuilt").status, worst()) == (Status.MISSING, Status.MISSING)


def test_a_new_publisher_stands_where_it_was_told_to_begin(world: World) -> None:
    world.commit((1, 1), (1, 2), (1, 3))
    relay(world)

    world.ask(PUBLISH, "parcels.example", 4, 2)

    assert (the_lag("parcels.example").position, the_lag("parcels.example").events_behind) == (2, 1)


def test_a_publisher_that_is_switched_off_does_not_count(world: World) -> None:
    world.ask(PUBLISH, "parcels.example", 1, 0)

    world.watcher.execute("UPDATE publishers SET is_enabled = false")

    assert [lag.subscriber for lag in lags()] == ["seen"]


def test_without_a_worker_nothing_runs(world: World) -> None:
    assert (look().workers, look().silent_seconds, worst()) == (0, None, Status.NOT_RUNNING)


def test_where_nobody_is_fed_no_worker_is_missed(bare_world: World) -> None:
    assert (look().subscribers, worst()) == ([], Status.OK)


@pytest.mark.parametrize("status", Status)
def test_each_status_has_an_exit_code(status: Status) -> None:
    codes: dict[str, int] = {"OK": 0, "RETRYING": 1, "BEHIND": 1, "PAUSED": 1, "NOT_RUNNING": 3}
    assert status.exit_code == codes.get(status.name, 2)


def test_a_look_is_one_statement(world: World) -> None:
    with CaptureQueriesContext(connection) as sent:
        look()

    assert [query["sql"] for query in sent if query["sql"] not in ("BEGIN", "COMMIT")] == [LIMITS, LAG]
