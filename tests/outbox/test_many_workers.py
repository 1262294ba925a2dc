"""Many workers at once, one that is stopped for a while, one that is killed: each event once, and in order."""

import signal
import threading

import pytest
import redis
from django.conf import settings as django_settings
from django.db import connection, transaction

from outbox import bell
from outbox.append import append
from outbox.bell import Bell
from tests.outbox.conftest import Subscribe
from tests.outbox.processes import POLLER, WORKER, Start, ends_softly
from tests.outbox.test_stopping import FOLD, SLEEPING, SLOW
from tests.outbox.world import World, message, seen, wait_until

WRITERS, VERSIONS = 4, 40
PATIENCE_SECONDS = 30


def write(aggregate_id: int) -> None:
    """Commit the versions of one aggregate, each in a transaction that rings the bell."""
    for version in range(1, VERSIONS + 1):
        with transaction.atomic():
            append([message(aggregate_id, version)])
    connection.close()


def test_three_workers_deliver_each_event_once_and_in_order(
    world: World, start: Start, redis_server: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell, "BELL", Bell())
    workers = [start(command, django_settings.REDIS_URL) for command in (WORKER, WORKER, POLLER)]
    assert wait_until(lambda: world.ask("SELECT count(*) FROM delivery_workers") == [(3,)], PATIENCE_SECONDS)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(1, WRITERS + 1)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    everything = {number: list(range(1, VERSIONS + 1)) for number in range(1, WRITERS + 1)}
    assert wait_until(lambda: world.checkpoint() == WRITERS * VERSIONS, PATIENCE_SECONDS)
    assert world.versions() == everything
    assert world.positions() == list(range(1, WRITERS * VERSIONS + 1))
    for worker in workers:
        ends_softly(worker)


def test_a_worker_that_was_stopped_for_a_while_changes_nothing(
    bare_world: World, subscribe: Subscribe, start: Start
) -> None:
    subscribe(seen(fold=FOLD))
    stopped = start(POLLER, "")
    bare_world.commit((SLOW, 1))
    assert wait_until(lambda: bool(bare_world.ask(SLEEPING)), PATIENCE_SECONDS)

    stopped.send_signal(signal.SIGSTOP)
    other = start(POLLER, "")
    bare_world.commit((1, 1))
    assert wait_until(lambda: bare_world.versions() == {SLOW: [1], 1: [1]}, PATIENCE_SECONDS)
    stopped.send_signal(signal.SIGCONT)
    bare_world.commit((1, 2))

    assert wait_until(lambda: bare_world.versions() == {SLOW: [1], 1: [1, 2]}, PATIENCE_SECONDS)
    assert bare_world.checkpoint() == 3
    assert bare_world.ask("SELECT FROM dead_letters WHERE state <> 'delivered'") == []
    for process in (stopped, other):
        ends_softly(process)
    assert bare_world.versions() == {SLOW: [1], 1: [1, 2]}


def test_a_worker_that_is_killed_in_a_round_leaves_it_to_the_next(
    bare_world: World, subscribe: Subscribe, start: Start
) -> None:
    subscribe(seen(fold=FOLD))
    killed = start(POLLER, "")
    bare_world.commit((1, 1), (SLOW, 1))
    assert wait_until(lambda: bool(bare_world.ask(SLEEPING)), PATIENCE_SECONDS)

    killed.kill()
    start(POLLER, "")

    assert wait_until(lambda: bare_world.versions() == {SLOW: [1], 1: [1]}, PATIENCE_SECONDS)
    assert bare_world.ask("SELECT FROM dead_letters") == []
