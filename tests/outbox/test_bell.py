"""The bell wakes a worker, coalesces, and never costs a command more than moments."""

import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import redis
from django.db import transaction
from pytest_django import Settings
from rq import Queue
from rq.serializers import JSONSerializer

from outbox import bell, jobs
from outbox.append import append
from outbox.bell import BELL_KEY, STANDING_KEY, Bell
from outbox.options import options
from tests.mutants.bells import ForkBlindBell, ImpatientBell, OneJobABell, WaitingBell
from tests.outbox.guarantees import Broken, expect
from tests.outbox.world import World, message

# Far more than a command takes on a busy machine, far less than the mutant waits for Redis.
MOST_SECONDS = 1.5

COMMITS, MOST_JOBS = 1_000, 20


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Give the address of a server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


@pytest.fixture
def closed_port() -> str:
    """Give an address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"redis://127.0.0.1:{server.getsockname()[1]}/0"


@pytest.fixture
def make_bell(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[type[Bell]]:
    """Give the class of bells; what it makes becomes the bell of the process."""
    monkeypatch.setattr(bell, "BELL", Bell())
    yield Bell
    bell.BELL.flush(1)


def does_not_delay(settings: Settings, url: str, ring: Bell) -> None:
    """Check that no command waits for a dead or silent Redis, or is broken by it."""
    settings.OUTBOX = settings.OUTBOX | {"REDIS_URL": url}
    bell.BELL = ring
    for _ in range(3):
        before = time.monotonic()
        with transaction.atomic():
            append([message()])
        if time.monotonic() - before > MOST_SECONDS:
            raise Broken("the command waited for Redis")
    ring.flush(1)


def test_a_call_gives_up_after_fifty_milliseconds() -> None:
    waits = bell.client("redis://127.0.0.1:1/0", options().bell_timeout_seconds).get_connection_kwargs()
    assert waits["socket_connect_timeout"] + waits["socket_timeout"] <= 0.05


def queued(server: redis.Redis) -> int:
    return len(Queue("delivery", connection=server, serializer=JSONSerializer))


def test_a_ring_leaves_a_token_and_one_job_without_data(
    redis_server: redis.Redis, make_bell: type[Bell]
) -> None:
    bell.ring()
    assert bell.BELL.flush(1)
    (job,) = Queue("delivery", connection=redis_server, serializer=JSONSerializer).jobs
    assert (job.func_name, job.args, job.kwargs) == ("outbox.jobs.drain_outbox", [], {})
    assert redis_server.llen(BELL_KEY) == 1


def test_a_thousand_rings_queue_one_job_and_one_token(
    redis_server: redis.Redis, make_bell: type[Bell]
) -> None:
    for _ in range(1000):
        bell.ring()
    for _ in range(5):
        bell.ring()
        assert bell.BELL.flush(1)
    assert (queued(redis_server), redis_server.llen(BELL_KEY)) == (1, 1)


def queues_few_jobs(world: World, server: redis.Redis, flushes: int = 0) -> None:
    """Check that a thousand commits leave few jobs, with no worker to take them, and with Redis emptied meanwhile."""
    for number in range(1, COMMITS + 1):
        with transaction.atomic():
            append([message(1, number)])
        if flushes and number % (COMMITS // flushes) == 0:
            server.flushdb()
    bell.BELL.flush(1)
    if (left := queued(server)) >= MOST_JOBS:
        raise Broken(f"{left} jobs")


@pytest.mark.parametrize("flushes", [0, 10])
def test_a_thousand_commits_leave_few_jobs(
    bare_world: World, redis_server: redis.Redis, make_bell: type[Bell], flushes: int
) -> None:
    queues_few_jobs(bare_world, redis_server, flushes)
    assert len(bare_world.ask("SELECT FROM outbox")) == COMMITS
    assert bell.BELL.errors == 0


def test_a_bell_that_queues_a_job_each_time_is_caught(
    bare_world: World, redis_server: redis.Redis, make_bell: type[Bell]
) -> None:
    bell.BELL = OneJobABell()
    with pytest.raises(Broken):
        queues_few_jobs(bare_world, redis_server)


def test_many_processes_queue_few_jobs(redis_server: redis.Redis, make_bell: type[Bell]) -> None:
    def rings_often() -> bool:
        for _ in range(COMMITS // 4):
            bell.ring()
            time.sleep(0.001)
        return bell.BELL.flush(5) and not bell.BELL.errors

    children = [in_fork(rings_often) for _ in range(4)]
    assert [ended_well(child) for child in children] == [True] * 4
    assert 1 <= queued(redis_server) < MOST_JOBS


def in_fork(act: Callable[[], bool]) -> int:
    """Do something in a forked child, as gunicorn's workers are, and return its pid."""
    pid = os.fork()
    if not pid:
        with suppress(BaseException):
            os._exit(0 if act() else 1)
        os._exit(2)
    return pid


def ended_well(pid: int) -> bool:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def rings_in_a_fork(server: redis.Redis, ring: Bell) -> None:
    """Check that parent and forked child ring, each by its own thread and connection."""
    bell.BELL = ring
    bell.ring()
    expect(ring.flush(1), True)
    server.flushdb()
    child = in_fork(lambda: bell.ring() or bell.BELL.flush(1))  # type: ignore[func-returns-value]
    expect((ended_well(child), queued(server)), (True, 1))
    server.flushdb()
    bell.ring()
    expect((ring.flush(1), queued(server), ring.errors), (True, 1, 0))


def test_a_forked_process_rings_too(redis_server: redis.Redis, make_bell: type[Bell]) -> None:
    rings_in_a_fork(redis_server, Bell())


def test_a_fork_can_ring_though_a_thread_was_just_starting(
    redis_server: redis.Redis, make_bell: type[Bell]
) -> None:
    bell.BELL = Bell()
    with bell.BELL._starting:
        child = in_fork(lambda: bell.ring() or bell.BELL.flush(1))  # type: ignore[func-returns-value]
        assert ended_well(child)
    assert queued(redis_server) == 1


def test_a_bell_that_does_not_notice_a_fork_is_caught(
    redis_server: redis.Redis, make_bell: type[Bell]
) -> None:
    with pytest.raises(Broken):
        rings_in_a_fork(redis_server, ForkBlindBell())


def test_a_bell_whose_keys_were_evicted_queues_a_job_again(
    redis_server: redis.Redis, make_bell: type[Bell]
) -> None:
    bell.ring()
    assert bell.BELL.flush(1)
    redis_server.delete(BELL_KEY, STANDING_KEY, "rq:queue:delivery")
    bell.ring()
    assert bell.BELL.flush(1)
    assert (queued(redis_server), redis_server.llen(BELL_KEY)) == (1, 1)


def test_while_a_job_stands_only_the_bell_is_rung(redis_server: redis.Redis, make_bell: type[Bell]) -> None:
    redis_server.set(STANDING_KEY, "1")
    bell.ring()
    assert bell.BELL.flush(1)
    assert (queued(redis_server), redis_server.llen(BELL_KEY)) == (0, 1)


def test_after_a_flush_the_next_ring_queues_a_job_again(
    redis_server: redis.Redis, make_bell: type[Bell]
) -> None:
    bell.ring()
    assert bell.BELL.flush(1)
    redis_server.flushdb()
    redis_server.script_flush()
    bell.ring()
    assert bell.BELL.flush(1)
    assert (queued(redis_server), redis_server.llen(BELL_KEY), bell.BELL.errors) == (1, 1, 0)


def test_a_dropped_connection_is_renewed(redis_server: redis.Redis, make_bell: type[Bell]) -> None:
    bell.ring()
    assert bell.BELL.flush(1)
    redis_server.client_kill_filter(_type="normal", skipme=True)
    bell.ring()
    assert bell.BELL.flush(1)
    assert bell.BELL.errors == 0


@pytest.mark.parametrize("state", ["closed_port", "silent_server"])
def test_a_redis_that_is_away_does_not_delay_a_command(
    bare_world: World, settings: Settings, make_bell: type[Bell], request: pytest.FixtureRequest, state: str
) -> None:
    ring = make_bell()
    does_not_delay(settings, request.getfixturevalue(state), ring)
    assert ring.errors == 1  # the second and third ring fell into the silence
    assert len(bare_world.ask("SELECT FROM outbox")) == 3


def test_a_bell_that_is_waited_for_delays_the_command(
    bare_world: World, settings: Settings, make_bell: type[Bell], silent_server: str
) -> None:
    with pytest.raises(Broken):
        does_not_delay(settings, silent_server, WaitingBell())


def keeps_silent_after_an_error(settings: Settings, url: str, ring: Bell) -> None:
    """Check that after an error a process does not try again at once, so that a sick Redis costs it nothing."""
    settings.OUTBOX = settings.OUTBOX | {"REDIS_URL": url}
    for _ in range(20):
        ring.ring()
        ring.flush(1)
    if ring.errors > 1:
        raise Broken(f"{ring.errors} attempts")


def test_after_an_error_the_bell_is_silent_for_a_while(
    settings: Settings, closed_port: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        keeps_silent_after_an_error(settings, closed_port, Bell())
    assert caplog.text.count("bell is silent") == 1


def test_a_bell_that_tries_each_time_is_caught(settings: Settings, closed_port: str) -> None:
    with pytest.raises(Broken):
        keeps_silent_after_an_error(settings, closed_port, ImpatientBell())


def test_silences_double_to_half_a_minute_and_end_with_a_success(
    settings: Settings, closed_port: str, redis_server: redis.Redis
) -> None:
    ring, good = Bell(), settings.OUTBOX["REDIS_URL"]
    settings.OUTBOX = settings.OUTBOX | {"REDIS_URL": closed_port}
    silences = []
    for _ in range(7):
        ring._call()
        silences.append(round(ring._silent_until - time.monotonic()))
    assert silences == [1, 2, 4, 8, 16, 30, 30]
    settings.OUTBOX = settings.OUTBOX | {"REDIS_URL": good}
    ring._call()
    assert ring._silence_seconds == bell.FIRST_SILENCE_SECONDS


def test_without_redis_there_is_no_bell(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.OUTBOX = settings.OUTBOX | {"REDIS_URL": ""}
    monkeypatch.setattr(bell, "BELL", None)
    bell.ring()


def test_a_job_delivers_lingers_and_ends(world: World, redis_server: redis.Redis, settings: Settings) -> None:
    settings.OUTBOX = settings.OUTBOX | {"LINGER_SECONDS": 0.2}
    world.commit((1, 1))
    began = time.monotonic()
    assert jobs.drain_outbox() == 1
    jobs.ENGINE.close()
    assert 0.2 <= time.monotonic() - began < 5
    assert redis_server.exists(STANDING_KEY) == 0


def test_a_lingering_job_hears_the_bell(
    world: World, redis_server: redis.Redis, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OUTBOX = settings.OUTBOX | {"LINGER_SECONDS": 0.2}
    drains: list[int] = []
    monkeypatch.setattr(jobs, "drain_safely", lambda *_: drains.append(1) or 1)
    redis_server.lpush(BELL_KEY, "1")
    jobs.drain_outbox()
    assert len(drains) == 3  # at the start, for the bell, and once after the job no longer stands


def test_a_job_survives_a_redis_that_goes_away(world: World, settings: Settings, closed_port: str) -> None:
    settings.OUTBOX = settings.OUTBOX | {"REDIS_URL": closed_port}
    world.commit((1, 1))
    assert jobs.drain_outbox() == 1
    jobs.ENGINE.close()
