"""A worker process delivers with Redis, without it, and beside one that is silent; SIGTERM ends it softly."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
import redis
from django.conf import settings as django_settings
from django.db import connection, transaction

from outbox import bell
from outbox.append import append
from outbox.bell import Bell
from tests.outbox.test_bell import closed_port, silent_server  # noqa: F401 – fixtures
from tests.outbox.world import World, message, wait_until

WORKER = ["manage.py", "rqworker", "delivery", "--worker-class", "outbox.worker.DeliveryWorker"]
POLLER = ["manage.py", "run_delivery", "--interval", "0.05"]
STOP_SECONDS = 10

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(world: World) -> Iterator[Start]:
    """Give a function that starts a process of manage.py on the database of the test."""
    started: list[subprocess.Popen[str]] = []

    def run(command: list[str], redis_url: str) -> subprocess.Popen[str]:
        environment = os.environ | {"DATABASE_URL": database_url(), "REDIS_URL": redis_url}
        environment["DJANGO_SETTINGS_MODULE"] = "tests.outbox.worker_settings"
        process = subprocess.Popen(
            [sys.executable, *command],
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


def database_url() -> str:
    known = connection.settings_dict
    return f"postgresql://{known['USER']}:{quote(known['PASSWORD'])}@{known['HOST']}:{known['PORT']}/{known['NAME']}"


def _ends_softly(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=STOP_SECONDS)
    assert process.returncode == 0, output
    assert "Traceback" not in output


def _command(version: int) -> None:
    bell.BELL = Bell()
    with transaction.atomic():
        append([message(1, version)])


def test_a_worker_hears_the_bell_and_ends_softly(
    world: World, start: Start, redis_server: redis.Redis
) -> None:
    worker = start(WORKER, django_settings.REDIS_URL)
    for version in (1, 2):
        _command(version)
        assert wait_until(lambda: world.checkpoint() == version, seconds=20)  # noqa: B023 – called at once
    _ends_softly(worker)


def test_a_worker_goes_on_after_redis_was_flushed(
    world: World, start: Start, redis_server: redis.Redis
) -> None:
    start(WORKER, django_settings.REDIS_URL)
    for version in (1, 2, 3):
        _command(version)
        assert wait_until(lambda: world.checkpoint() == version, seconds=20)  # noqa: B023 – called at once
        redis_server.flushdb()


@pytest.mark.parametrize("state", ["closed_port", "silent_server"])
def test_a_worker_delivers_without_redis_and_ends_softly(
    world: World, start: Start, request: pytest.FixtureRequest, state: str
) -> None:
    worker = start(WORKER, request.getfixturevalue(state))
    world.commit((1, 1))
    assert wait_until(lambda: world.versions() == {1: [1]}, seconds=20)
    _ends_softly(worker)


def test_run_delivery_polls_and_ends_softly(world: World, start: Start) -> None:
    poller = start(POLLER, "")
    world.commit((1, 1))
    assert wait_until(lambda: world.versions() == {1: [1]}, seconds=20)
    _ends_softly(poller)


def test_run_delivery_once_delivers_what_waits(world: World, start: Start) -> None:
    world.commit((1, 1))
    output, _ = start([*POLLER, "--once"], "").communicate(timeout=20)
    assert "1 events folded." in output
    assert world.versions() == {1: [1]}


def test_a_killed_worker_leaves_nothing_behind_that_stops_the_next(
    world: World, start: Start, redis_server: redis.Redis
) -> None:
    worker = start(WORKER, django_settings.REDIS_URL)
    world.commit((1, 1))
    assert wait_until(lambda: world.checkpoint() == 1, seconds=20)
    worker.kill()
    worker.wait()
    world.commit((1, 2))
    start(WORKER, django_settings.REDIS_URL)
    assert wait_until(lambda: world.versions() == {1: [1, 2]}, seconds=20)
