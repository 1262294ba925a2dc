"""An alarm rings once when a trouble begins and once when it is over, and cannot stop delivery."""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from pytest_django import Settings

from outbox import alarms, lag
from outbox.alarms import ALARM_LOCK, Alarm, Watch, check_alarms
from tests.mutants import alarms as mutants
from tests.outbox.processes import POLLER, Start
from tests.outbox.test_lag import OLD_GENERATIONS, OLD_MESSAGES, PARK, PAUSE, deliver, fail
from tests.outbox.test_lag import no_registry as no_registry  # noqa: PLC0414 – a fixture
from tests.outbox.world import World, wait_until

RUNG: list[Alarm] = []
LET_GO = threading.Event()
CALLED = threading.Event()
ENDS = "UPDATE dead_letters SET state = 'delivered', settled_at = clock_timestamp(), next_attempt_at = NULL"


def note(alarm: Alarm) -> None:
    """Be a hook that works."""
    RUNG.append(alarm)


def fail_to_ring(alarm: Alarm) -> None:
    """Be a hook that raises."""
    RUNG.append(alarm)
    raise ValueError("the pager is away")


def hang(alarm: Alarm) -> None:
    """Be a hook that does not come back."""
    RUNG.append(alarm)
    CALLED.set()
    LET_GO.wait(30)


@pytest.fixture(autouse=True)
def hook(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, no_registry: None
) -> Iterator[Callable[[str], None]]:
    """Ring by a hook that notes it, looking whenever asked; give a function that chooses another hook."""
    RUNG.clear()
    LET_GO.clear()
    CALLED.clear()
    monkeypatch.setattr(alarms, "LOOK_SECONDS", 0)
    monkeypatch.setattr(alarms, "QUIET_SECONDS", 0)

    def choose(name: str) -> None:
        settings.OUTBOX = settings.OUTBOX | {"ALARM_HOOK": f"{__name__}.{name}"}

    choose("note")
    yield choose
    LET_GO.set()


def rung(watch: Watch, connection: psycopg.Connection[Any], looks: int = 1) -> list[tuple[str, str, bool]]:
    """Look some times and say what has rung since the last time."""
    RUNG.clear()
    for _ in range(looks):
        watch.check(connection)
        watch.flush()
    return [(alarm.subject, alarm.kind, alarm.is_over) for alarm in RUNG]


def park(world: World, aggregate_id: int = 1) -> None:
    world.ask(PARK, "seen", 1, aggregate_id, "parked")


def stall(world: World) -> None:
    world.commit((1, 1))
    world.watcher.execute(OLD_MESSAGES)
    world.watcher.execute(OLD_GENERATIONS)


def once_an_episode(world: World, watch: Watch) -> None:
    """Check that a trouble rings when it begins, is silent while it lasts, and rings when it is over; each time."""
    for aggregate_id in (1, 2):
        park(world, aggregate_id)
        assert rung(watch, world.watcher, looks=3) == [("seen", "parked", False)]
        world.watcher.execute(ENDS + " WHERE state = 'parked'")
        assert rung(watch, world.watcher, looks=3) == [("seen", "parked", True)]


def each_kind_for_itself(world: World, watch: Watch) -> None:
    """Check that one trouble may end while another of the same subscriber goes on."""
    park(world)
    fail(world, "seen")
    assert rung(watch, world.watcher) == [("seen", "failing", False), ("seen", "parked", False)]
    world.watcher.execute("DELETE FROM delivery_failures")
    assert rung(watch, world.watcher) == [("seen", "failing", True)]


@pytest.mark.parametrize("promise", [once_an_episode, each_kind_for_itself])
def test_an_alarm_rings_as_promised(world: World, promise: Callable[[World, Watch], None]) -> None:
    promise(world, Watch())


@pytest.mark.parametrize(
    ("mutant", "promise"),
    [
        (mutants.RINGS_AT_EACH_LOOK, once_an_episode),
        (mutants.NEVER_ENDS, once_an_episode),
        (mutants.ENDS_BY_SUBJECT, each_kind_for_itself),
    ],
)
def test_an_alarm_that_rings_otherwise_is_found_out(
    world: World, monkeypatch: pytest.MonkeyPatch, mutant: str, promise: Callable[[World, Watch], None]
) -> None:
    monkeypatch.setattr(alarms, "EPISODES", mutant)

    with pytest.raises(AssertionError):
        promise(world, Watch())


def swinging(world: World, watch: Watch) -> None:
    """Check that a trouble that comes and goes all the time rings once."""
    for aggregate_id in (1, 2, 3):
        park(world, aggregate_id)
        began = rung(watch, world.watcher)
        world.watcher.execute(ENDS + " WHERE state = 'parked'")
        assert (began, rung(watch, world.watcher)) == (
            [("seen", "parked", False)] if aggregate_id == 1 else [],
            [],
        )


def test_a_trouble_that_swings_rings_once_and_is_over_after_a_while(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch()
    monkeypatch.setattr(alarms, "QUIET_SECONDS", 60)
    swinging(world, watch)

    monkeypatch.setattr(alarms, "QUIET_SECONDS", 0)

    assert rung(watch, world.watcher) == [("seen", "parked", True)]


def test_what_came_back_is_over_only_after_it_was_gone_for_long_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch, trouble = Watch(), {("seen", "parked"): "it hurts"}
    monkeypatch.setattr(alarms, "QUIET_SECONDS", 30)

    def is_over(now: float) -> bool:
        with monkeypatch.context() as clock:
            clock.setattr(alarms.time, "monotonic", lambda: now)
            return not watch._swinging(trouble, {})

    assert not any(is_over(now) for now in (0, 10, 29))
    watch._swinging(trouble, trouble)
    assert not any(is_over(now) for now in (50, 70, 79))
    assert is_over(80)


def test_an_alarm_that_swings_along_is_found_out(world: World) -> None:
    with pytest.raises(AssertionError):
        swinging(world, Watch())


def test_another_worker_does_not_ring_again(world: World) -> None:
    park(world)

    first, second = rung(Watch(), world.watcher), rung(Watch(), world.worker())

    assert (first, second) == ([("seen", "parked", False)], [])


def look_while_another_looks(world: World) -> list[tuple[str, str, bool]]:
    """Look while another worker is in the middle of it."""
    park(world)
    other = world.writer()
    psycopg.RawCursor(other).execute("SELECT pg_advisory_xact_lock($1::int, 0)", [ALARM_LOCK])
    return rung(Watch(), world.watcher)


def test_one_worker_looks_at_a_time(world: World) -> None:
    assert look_while_another_looks(world) == []


def test_workers_that_look_together_are_found_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "TRY_LOCK", mutants.NO_LOCK)

    assert look_while_another_looks(world) != []


def test_a_stalled_subscriber_is_also_behind(world: World) -> None:
    stall(world)
    watch = Watch()

    began = rung(watch, world.watcher)
    deliver(world)
    ended = rung(watch, world.watcher)

    assert began == [("seen", "behind", False), ("seen", "stalled", False)]
    assert ended == [("seen", "behind", True), ("seen", "stalled", True)]


def test_a_projection_without_tables_rings(world: World, settings: Settings) -> None:
    settings.OUTBOX = settings.OUTBOX | {"SUBSCRIBERS": ["tests.outbox.test_lag.unbuilt"]}

    assert rung(Watch(), world.watcher) == [("unbuilt", "missing", False)]


def test_what_mends_itself_or_was_asked_for_does_not_ring(world: World) -> None:
    world.ask(PARK, "seen", 1, 1, "waiting")
    stall(world)
    world.ask(PAUSE, "seen", "the index is being rebuilt")

    assert rung(Watch(), world.watcher) == []


def test_a_round_that_failed_once_does_not_ring(world: World) -> None:
    fail(world, "seen")
    world.watcher.execute("UPDATE delivery_failures SET first_failed_at = clock_timestamp()")

    assert rung(Watch(), world.watcher) == []


def test_the_hook_is_told_what_is_the_matter(world: World) -> None:
    park(world)

    rung(Watch(), world.watcher)

    assert [
        Alarm("seen", "parked", "1 aggregate is parked behind an event that waits for a person", False)
    ] == RUNG


def test_tables_that_somebody_locked_ring_and_end_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lag, "LIMITS", "SET LOCAL lock_timeout = '50ms'")
    watch, holder = Watch(), world.writer()
    park(world)
    assert rung(watch, world.watcher) == [("seen", "parked", False)]

    holder.execute("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")
    locked = rung(watch, world.watcher, looks=2)
    holder.rollback()

    assert locked == [("delivery", "locked", False)]
    assert rung(watch, world.watcher) == [("delivery", "locked", True)]


def test_a_worker_looks_every_few_seconds_only(
    world: World, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(alarms, "LOOK_SECONDS", 5)
    watch = Watch()
    assert rung(watch, world.watcher) == []

    park(world)

    assert rung(watch, world.watcher, looks=10) == []


def test_without_a_hook_of_ones_own_alarms_are_logged(
    world: World, settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OUTBOX = {name: value for name, value in settings.OUTBOX.items() if name != "ALARM_HOOK"}
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(alarms, "WATCH", Watch())

    park(world)
    check_alarms(world.watcher)
    alarms.WATCH.flush()
    world.watcher.execute(ENDS)
    check_alarms(world.watcher)
    alarms.WATCH.flush()

    assert [(record.levelname, record.message.partition(":")[0]) for record in caplog.records] == [
        ("ERROR", "alarm"),
        ("INFO", "alarm is over"),
    ]


def test_a_hook_that_raises_keeps_nobody_and_the_alarm_is_logged(
    world: World, hook: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    hook("fail_to_ring")
    park(world)
    fail(world, "seen")

    assert rung(Watch(), world.watcher, looks=3) == [("seen", "failing", False), ("seen", "parked", False)]

    told = [record.message for record in caplog.records]
    assert told.count("the alarm hook failed") == 2
    assert any(message.startswith("alarm: seen (parked)") for message in told)


def comes_back_while_the_hook_hangs(world: World, watch: Watch, hook: Callable[[str], None]) -> bool:
    """Tell whether a look ends although the hook does not."""
    hook("hang")
    park(world)
    looking = threading.Thread(target=watch.check, args=(world.watcher,), daemon=True)
    looking.start()
    assert CALLED.wait(10)
    looking.join(1)
    is_back = not looking.is_alive()
    LET_GO.set()
    looking.join()
    return is_back


def test_a_hook_that_hangs_does_not_keep_the_worker(world: World, hook: Callable[[str], None]) -> None:
    assert comes_back_while_the_hook_hangs(world, Watch(), hook)


def test_a_hook_within_the_worker_is_found_out(world: World, hook: Callable[[str], None]) -> None:
    assert not comes_back_while_the_hook_hangs(world, mutants.HookInTheWorker(), hook)


def calls_that_hang(world: World, watch: Watch) -> int:
    """Begin and end a trouble again and again, and count the calls of a hook that never comes back."""
    for aggregate_id in range(1, 6):
        park(world, aggregate_id)
        watch.check(world.watcher)
        world.watcher.execute(ENDS + " WHERE state = 'parked'")
        watch.check(world.watcher)
    return sum(call.is_alive() for call in watch._calls)


def test_calls_that_hang_do_not_pile_up_and_alarms_are_logged(
    world: World, hook: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    hook("hang")

    assert calls_that_hang(world, Watch()) == alarms.MOST_CALLS

    told = [record.message for record in caplog.records]
    assert "the alarm hook hangs: 4 calls have not ended" in told
    assert any(message.startswith("alarm: seen (parked)") for message in told)


def test_calls_that_pile_up_are_found_out(world: World, hook: Callable[[str], None]) -> None:
    hook("hang")

    assert calls_that_hang(world, mutants.ForgetfulHookCaller()) > alarms.MOST_CALLS


def test_a_worker_rings_by_itself_and_goes_on(world: World, start: Start) -> None:
    process = start(POLLER, "")
    park(world)
    episodes = "SELECT kind FROM alarm_episodes WHERE subject = 'seen'"
    assert wait_until(lambda: world.ask(episodes) == [("parked",)], seconds=20)

    world.commit((1, 1))
    assert wait_until(lambda: world.checkpoint() == 1)
    process.terminate()
    output, _ = process.communicate(timeout=20)

    assert output.count("alarm: seen (parked): 1 aggregate is parked") == 1
    assert process.returncode == 0


def test_episodes_are_kept_with_their_beginning_and_end(world: World) -> None:
    watch = Watch()
    park(world)
    watch.check(world.watcher)
    world.watcher.execute(ENDS)
    watch.check(world.watcher)
    watch.flush()

    assert world.ask("SELECT subject, kind, ended_at >= began_at FROM alarm_episodes") == [
        ("seen", "parked", True)
    ]
