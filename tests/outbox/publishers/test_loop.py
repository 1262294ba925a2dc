"""Processes serve endpoints side by side: one that hangs holds no other, one that is killed loses nothing."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import redis
from django.conf import settings as django_settings
from pytest_django import Settings
from rq import Queue
from rq.serializers import JSONSerializer

from outbox.connection import connect
from outbox.publishers import endpoints, jobs, lanes
from outbox.publishers.lanes import Lane
from outbox.publishers.loop import PublisherLoop
from outbox.worker import WorkWorker
from tests.outbox.processes import database_url, ends_softly
from tests.outbox.publishers.conftest import ACTOR, Shop
from tests.outbox.world import wait_until
from tests.webhook_receiver import TAKEN, Answer, WebhookReceiver

KNOWN = "OrderPlaced"  # a process runs with the settings of the shop, and they know no parcels

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Give a function that starts `run_publishers` on the database of the test."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> subprocess.Popen[str]:
        environment = os.environ | {
            "DATABASE_URL": database_url(),
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        }
        process = subprocess.Popen(
            [sys.executable, "manage.py", "run_publishers", *arguments],
            cwd=django_settings.BASE_DIR,
            env=environment,
            stderr=subprocess.STDOUT,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


class Killer:
    """Kills the process that hands over an event, after the event was taken and before anybody hears of it."""

    def __init__(self, kills: Callable[[dict[str, Any]], bool]) -> None:
        self.kills = kills
        self.process: subprocess.Popen[str] | None = None

    def __call__(self, body: dict[str, Any]) -> Answer:
        if self.process and self.kills(body["data"]):
            self.process.kill()
            self.process.wait()
        return TAKEN


@pytest.fixture
def loop(shop: Shop) -> Iterator[PublisherLoop]:
    """Give a loop of this process, which runs by itself."""
    one = PublisherLoop()
    yield one
    shop.receiver.let_go.set()
    one.close()


def test_a_process_is_woken_by_what_happens_and_ends_softly(shop: Shop, start: Start) -> None:
    shop.endpoint()
    process = start()
    for version in (1, 2):
        shop.log((1, version), event_type=KNOWN)
        assert wait_until(lambda: shop.checkpoint() == version, seconds=20)  # noqa: B023 – called at once
    ends_softly(process)
    assert shop.world.ask("SELECT kind FROM delivery_workers") == []


def test_a_process_ends_in_time_while_an_endpoint_does_not_answer(shop: Shop, start: Start) -> None:
    shop.endpoint()
    shop.receiver.answer(Answer(hang=True))
    shop.log((1, 1), event_type=KNOWN)
    process = start()
    assert wait_until(lambda: len(shop.receiver.seen) == 1, seconds=20)
    ends_softly(process)
    # and that it ended is nobody's failure
    assert shop.world.ask("SELECT * FROM delivery_attempts") == []
    assert shop.breaker() == []


def test_once_brings_what_waits(shop: Shop, start: Start) -> None:
    shop.endpoint(partitions=2)
    shop.log((1, 1), (2, 1), (3, 1), event_type=KNOWN)
    output, _ = start("--once").communicate(timeout=20)
    assert "3 events taken." in output
    assert shop.receiver.versions() == {1: [1], 2: [1], 3: [1]}


def test_a_process_that_is_killed_between_effect_and_checkpoint_loses_nothing(
    shop: Shop, start: Start
) -> None:
    # given a process that dies when the third event was taken
    shop.endpoint()
    killer = Killer(lambda data: data["aggregate_version"] == 3)
    shop.receiver.choose = killer
    shop.log(*((1, version) for version in range(1, 6)), event_type=KNOWN)
    killer.process = start()
    assert killer.process.wait(20) == -signal.SIGKILL

    # when
    killer.process = None
    start()
    assert wait_until(lambda: shop.checkpoint() == 5, seconds=20)

    # then all came, in order, and from where it died on once more
    versions = shop.receiver.versions()[1]
    assert list(dict.fromkeys(versions)) == [1, 2, 3, 4, 5]
    assert versions == [1, 2, 3, 1, 2, 3, 4, 5]
    assert shop.letters() == []


def test_an_event_that_kills_every_process_is_parked_and_others_go_on(shop: Shop, start: Start) -> None:
    shop.endpoint()
    killer = Killer(lambda data: data["aggregate_id"] == "1")
    shop.receiver.choose = killer
    shop.log((1, 1), (2, 1), (1, 2), event_type=KNOWN)

    for _ in range(3):
        killer.process = start()
        killer.process.wait(20)
    start()

    assert wait_until(lambda: shop.checkpoint() == 3, seconds=20)
    assert set(shop.receiver.versions()) == {1, 2}
    assert shop.letters() == [(1, "waiting", 1)]


def test_an_endpoint_that_hangs_holds_no_other(shop: Shop, loop: PublisherLoop, settings: Settings) -> None:
    settings.OUTBOX = settings.OUTBOX | {"WEBHOOK_TIMEOUT_SECONDS": 30}
    shop.endpoint("healthy")
    with WebhookReceiver() as silent:
        silent.answer(Answer(hang=True))
        endpoints.add(ACTOR, "silent", silent.url, from_beginning=True)
        shop.log((1, 1), (2, 1))
        loop.look()
        assert wait_until(lambda: shop.checkpoint("healthy 0/1") == 2)
        assert wait_until(lambda: len(silent.seen) == 1)
        assert shop.checkpoint("silent 0/1") == 0


def test_no_more_lanes_are_served_at_once_than_the_settings_say(
    shop: Shop, loop: PublisherLoop, settings: Settings
) -> None:
    settings.OUTBOX = settings.OUTBOX | {"PUBLISHER_THREADS": 2, "WEBHOOK_TIMEOUT_SECONDS": 30}
    shop.receiver.answer(Answer(hang=True))
    for name in ("one", "two", "three"):
        shop.endpoint(name)
    shop.log((1, 1))

    assert loop.look() == 2
    assert wait_until(lambda: len(shop.receiver.seen) == 2)
    assert loop.look() == 0


def test_a_lane_is_served_by_one_worker_at_a_time(shop: Shop) -> None:
    shop.endpoint()
    shop.log((1, 1))
    with connect("test") as another:
        assert lanes.try_lock(another, Lane("shop", "webhook", 0, 1))
        assert shop.deliver() == 0
    assert shop.receiver.seen == []
    assert wait_until(lambda: shop.deliver() > 0)
    assert shop.receiver.versions() == {1: [1]}


def test_a_loop_outlives_its_connections(shop: Shop, loop: PublisherLoop) -> None:
    shop.endpoint()
    running = threading.Thread(target=loop.run, args=(0.02,))
    running.start()
    try:
        shop.log((1, 1))
        assert wait_until(lambda: shop.checkpoint() == 1)
        shop.world.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE 'publisher%' AND datname = current_database()"
        )
        shop.log((1, 2))
        assert wait_until(lambda: shop.checkpoint() == 2)
    finally:
        loop.stopping.set()
        running.join()


def test_an_idle_loop_looks_at_two_sequences_only(shop: Shop, loop: PublisherLoop) -> None:
    shop.endpoint()
    shop.log((1, 1))
    loop.run_once()
    loop._tick()
    loop._look_until = 0.0

    looks: list[int] = []
    loop.look = lambda: looks.append(1) or 0  # type: ignore[method-assign,func-returns-value]
    loop._tick()
    assert looks == []

    shop.log((1, 2))
    loop._tick()
    assert looks == [1]


def test_a_job_on_the_queue_work_does_the_same(shop: Shop, redis_server: redis.Redis) -> None:
    shop.endpoint()
    with connect("test") as connection:
        assert jobs.ask_for_publishing(connection, lambda: False) == 0
        shop.log((1, 1))
        assert jobs.ask_for_publishing(connection, lambda: False) == 1
        assert jobs.ask_for_publishing(connection, lambda: False) == 1  # it stands there already
        (job,) = Queue("work", connection=redis_server, serializer=JSONSerializer).jobs
        assert (job.func_name, job.args, job.kwargs) == (jobs.JOB, [], {})

        work = WorkWorker([Queue("work", connection=redis_server)], connection=redis_server)
        work.work(burst=True, logging_level="ERROR")

        assert shop.receiver.versions() == {1: [1]}
        shop.log((1, 2))
        assert jobs.ask_for_publishing(connection, lambda: False) == 1


def test_what_waits_for_a_retry_is_found_without_a_bell(
    shop: Shop, loop: PublisherLoop, settings: Settings
) -> None:
    settings.OUTBOX = settings.OUTBOX | {"PUBLISHER_FIRST_PAUSE_SECONDS": 0.1, "SWEEP_SECONDS": 0.1}
    shop.endpoint()
    shop.receiver.answer(Answer(503))
    shop.log((1, 1))
    running = threading.Thread(target=loop.run, args=(0.02,))
    running.start()
    try:
        assert wait_until(lambda: len(shop.receiver.seen) >= 1)
        shop.receiver.answer(TAKEN)
        assert wait_until(lambda: shop.checkpoint() == 1)
    finally:
        loop.stopping.set()
        running.join()


def test_a_lane_that_fails_is_left_alone_for_a_moment(
    shop: Shop, loop: PublisherLoop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise psycopg.OperationalError("gone")

    monkeypatch.setattr("outbox.publishers.loop.serve", fail)
    shop.endpoint()
    shop.log((1, 1))
    began = time.monotonic()
    assert loop.run_once() == 0
    assert time.monotonic() - began < 5
    assert "lost the database: gone" in caplog.text
