"""A process that is asked to end finishes or undoes what it has in hand, whole, and is gone within ten seconds."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing

import pytest
import redis
from django.conf import settings as django_settings

from outbox.careful import CarefulEngine
from outbox.connection import break_off
from outbox.polling import drain_safely
from outbox.relay import Relay
from outbox.stopping import Stopping
from tests.mutants.stopping import TrustingStopping, cancel_statements
from tests.outbox.conftest import Subscribe
from tests.outbox.guarantees import Broken, expect
from tests.outbox.processes import POLLER, PUBLISHERS, WORKER, Start, ends_softly
from tests.outbox.world import SEEN, World, seen, wait_until

SLEEPING = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"

# Takes a second for the parcel SLOW, and for ever for the parcel STUCK.
SLOW, STUCK = 98, 99
FOLD = SEEN.replace(
    "max(position)",
    "max(position) + (SELECT 0 FROM pg_sleep(CASE aggregate_id WHEN 98 THEN 1 WHEN 99 THEN 100 ELSE 0 END))",
)

FAILURE = """
INSERT INTO delivery_failures
       (subscriber, generation, from_position, to_position, attempts, error_type, error_message, next_attempt_at)
VALUES ('seen', 1, 0, 1, 1, 'ValueError', 'bad', clock_timestamp()) RETURNING 1
"""

HANGING = """
import sys, threading, time
from django.utils.module_loading import import_string
from outbox import stopping
stopping.BREAK_OFF_SECONDS, stopping.END_SECONDS = 0.1, 0.3
stopping.break_off = lambda: time.sleep(60)
threading.Thread(target=time.sleep, args=(60,)).start()
with import_string(sys.argv[1])() as end:
    end.listen()
    print("ready", flush=True)
    end.event.wait()
"""


@pytest.fixture
def slow_world(bare_world: World, subscribe: Subscribe) -> World:
    """Give a world with a fold that takes its time."""
    subscribe(seen(fold=FOLD))
    return bare_world


def is_whole(world: World) -> bool:
    """Tell whether the read model shows what the checkpoint says, neither more nor less."""
    delivered = sum(len(versions) for versions in world.versions().values())
    return delivered == world.checkpoint()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", [WORKER, POLLER], ids=["worker", "run_delivery"])
def test_the_batch_in_hand_is_finished_or_undone_whole(
    slow_world: World, start: Start, redis_server: redis.Redis, command: list[str], number: signal.Signals
) -> None:
    process = start(command, django_settings.REDIS_URL)
    slow_world.commit((1, 1), (SLOW, 1))
    assert wait_until(lambda: bool(slow_world.ask(SLEEPING)), seconds=20)

    ends_softly(process, number)

    assert is_whole(slow_world)
    assert slow_world.checkpoint() == 2


@pytest.mark.parametrize("command", [WORKER, POLLER], ids=["worker", "run_delivery"])
def test_a_fold_that_hangs_does_not_keep_a_process_from_ending(
    slow_world: World, start: Start, redis_server: redis.Redis, command: list[str]
) -> None:
    process = start(command, django_settings.REDIS_URL)
    slow_world.commit((1, 1), (2, 1))
    assert wait_until(lambda: slow_world.checkpoint() == 2, seconds=20)
    slow_world.commit((STUCK, 1))
    assert wait_until(lambda: bool(slow_world.ask("SELECT FROM delivery_failures")), seconds=20)
    assert wait_until(lambda: bool(slow_world.ask(SLEEPING)), seconds=20)

    said = ends_softly(process)

    assert "what is at work takes too long and is broken off" in said
    assert wait_until(lambda: not slow_world.ask(SLEEPING))
    assert is_whole(slow_world)
    assert slow_world.ask("SELECT FROM dead_letters") == []


def undoes_without_blame(world: World, break_off: Callable[[], None]) -> None:
    """Check that what is broken off at the end is undone, and does not count as a failure of the subscriber."""
    world.commit((STUCK, 1))
    world.ask(FAILURE)
    careful, stopping = CarefulEngine("tested"), threading.Event()
    relay_all(world)
    thread = threading.Thread(target=drain_safely, args=(careful, stopping.is_set))
    thread.start()
    assert wait_until(lambda: bool(world.ask(SLEEPING)))
    stopping.set()
    break_off()
    thread.join()
    careful.close()
    expect(world.ask("SELECT attempts FROM delivery_failures"), [(1,)])
    expect((world.ask("SELECT FROM dead_letters"), world.checkpoint()), ([], 0))


def relay_all(world: World) -> None:
    with closing(world.worker()) as connection:
        Relay().run_once(connection)


def test_what_is_broken_off_is_nobodys_failure(slow_world: World) -> None:
    undoes_without_blame(slow_world, break_off)


def test_an_end_that_cancels_statements_blames_the_event(slow_world: World) -> None:
    with pytest.raises(Broken):
        undoes_without_blame(slow_world, cancel_statements)


@pytest.mark.parametrize("command", [POLLER, PUBLISHERS], ids=["run_delivery", "run_publishers"])
def test_a_process_that_ends_on_purpose_is_not_missed(world: World, start: Start, command: list[str]) -> None:
    process = start(command, "")
    assert wait_until(lambda: bool(world.ask("SELECT FROM delivery_workers")), seconds=20)

    ends_softly(process)

    assert world.ask("SELECT FROM delivery_workers") == []


def test_a_second_signal_ends_a_process_at_once(slow_world: World, start: Start) -> None:
    process = start(POLLER, "")
    slow_world.commit((STUCK, 1))
    assert wait_until(lambda: bool(slow_world.ask(SLEEPING)), seconds=20)

    asked_at = time.monotonic()
    while process.poll() is None and time.monotonic() - asked_at < 4:
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)

    assert process.returncode == -signal.SIGTERM


def ends_whatever_hangs(stopping: type[Stopping]) -> None:
    """Check that a process ends though a thread and the database hang."""
    path = f"{stopping.__module__}.{stopping.__name__}"
    with subprocess.Popen(
        [sys.executable, "-c", HANGING, path], stdout=subprocess.PIPE, cwd=django_settings.BASE_DIR
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"ready\n"
            process.terminate()
            expect(wait_until(lambda: process.poll() is not None, seconds=5), True)
            assert process.returncode == 0
        finally:
            process.kill()


def test_what_hangs_outside_of_the_database_does_not_keep_a_process_either() -> None:
    ends_whatever_hangs(Stopping)


def test_a_process_that_trusts_its_threads_to_end_is_caught() -> None:
    with pytest.raises(Broken):
        ends_whatever_hangs(TrustingStopping)
