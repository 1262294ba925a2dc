"""A worker process delivers with Redis, without it, and beside one that is silent; SIGTERM ends it softly."""

import pytest
import redis
from django.conf import settings as django_settings
from django.db import transaction

from outbox import bell
from outbox.append import append
from outbox.bell import STANDING_KEY, Bell
from tests.outbox.processes import POLLER, WORKER, Start, ends_softly
from tests.outbox.test_bell import closed_port, silent_server  # noqa: F401 – fixtures
from tests.outbox.world import World, message, wait_until


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
    ends_softly(worker)


def test_a_worker_goes_on_after_redis_was_flushed(
    world: World, start: Start, redis_server: redis.Redis
) -> None:
    start(WORKER, django_settings.REDIS_URL)
    for version in (1, 2, 3):
        _command(version)
        assert wait_until(lambda: world.checkpoint() == version, seconds=20)  # noqa: B023 – called at once
        redis_server.flushdb()


def test_a_worker_does_not_wait_for_the_job_of_one_that_was_killed(
    world: World, start: Start, redis_server: redis.Redis
) -> None:
    redis_server.set(STANDING_KEY, "1", ex=1_000)
    start(WORKER, django_settings.REDIS_URL)
    assert wait_until(lambda: not redis_server.exists(STANDING_KEY), seconds=20)


@pytest.mark.parametrize("state", ["closed_port", "silent_server"])
def test_a_worker_delivers_without_redis_and_ends_softly(
    world: World, start: Start, request: pytest.FixtureRequest, state: str
) -> None:
    worker = start(WORKER, request.getfixturevalue(state))
    world.commit((1, 1))
    assert wait_until(lambda: world.versions() == {1: [1]}, seconds=20)
    ends_softly(worker)


def test_run_delivery_polls_and_ends_softly(world: World, start: Start) -> None:
    poller = start(POLLER, "")
    world.commit((1, 1))
    assert wait_until(lambda: world.versions() == {1: [1]}, seconds=20)
    ends_softly(poller)


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
