"""Each worker process says that it is at work, and is missed when it falls silent."""

import os

import pytest

from outbox import heartbeats
from outbox.heartbeats import Heartbeat, workers
from tests.mutants.heartbeats import RestlessHeartbeat
from tests.outbox.world import World

AGE = (
    "UPDATE delivery_workers SET beat_at = clock_timestamp() - make_interval(secs => $1::float8) RETURNING 1"
)


def beats(world: World, heart: Heartbeat) -> int:
    """Count how often a heart that is asked a hundred times at once writes."""
    heart.beat(world.watcher)
    world.ask(AGE, 5.0)
    for _ in range(100):
        heart.beat(world.watcher)
    return int(workers()[0].silent_seconds < 5)


def test_a_worker_that_beats_is_alive(bare_world: World) -> None:
    Heartbeat("run_delivery").beat(bare_world.watcher)

    (worker,) = workers()

    assert (worker.kind, worker.pid, worker.is_alive) == ("run_delivery", os.getpid(), True)


def test_a_worker_that_falls_silent_is_no_longer_alive(bare_world: World) -> None:
    Heartbeat("run_delivery").beat(bare_world.watcher)

    bare_world.ask(AGE, 11.0)

    assert not workers()[0].is_alive


def test_a_beat_brings_a_silent_worker_back(bare_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    heart = Heartbeat("run_delivery")
    heart.beat(bare_world.watcher)
    bare_world.ask(AGE, 60.0)

    monkeypatch.setattr(heartbeats, "BEAT_SECONDS", 0)
    heart.beat(bare_world.watcher)

    (worker,) = workers()
    assert worker.is_alive
    assert worker.worked_seconds >= 0


def test_a_heart_that_is_asked_all_the_time_beats_seldom(bare_world: World) -> None:
    assert beats(bare_world, Heartbeat("run_delivery")) == 0


def test_a_heart_that_writes_each_time_is_found_out(bare_world: World) -> None:
    assert beats(bare_world, RestlessHeartbeat("run_delivery")) == 1


def test_a_worker_that_ends_on_purpose_is_not_missed(bare_world: World) -> None:
    heart, other = Heartbeat("run_delivery"), Heartbeat("rqworker")
    heart.beat(bare_world.watcher)
    other.beat(bare_world.watcher)

    heart.stop(bare_world.watcher)

    assert [worker.kind for worker in workers()] == ["rqworker"]


def test_a_worker_of_yesterday_is_forgotten(bare_world: World) -> None:
    Heartbeat("rqworker").beat(bare_world.watcher)
    bare_world.ask(AGE, 90_000.0)

    Heartbeat("run_delivery").beat(bare_world.watcher)

    assert [worker.kind for worker in workers()] == ["run_delivery"]


def test_a_beat_leaves_the_commits_after_it_as_safe_as_they_were(bare_world: World) -> None:
    bare_world.watcher.execute("SET synchronous_commit = on")

    Heartbeat("run_delivery").beat(bare_world.watcher)

    assert bare_world.ask("SELECT current_setting('synchronous_commit')") == [("on",)]
