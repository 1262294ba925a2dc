"""The threads of a worker begin together, survive what happens to them, and end together."""

import threading

import psycopg
import pytest

from outbox import worker_threads
from outbox.routine import Routine
from outbox.worker_threads import at_work, of_delivery
from tests.outbox.world import World, wait_until

CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tested'"
MINE = "SELECT FROM pg_stat_activity WHERE application_name = 'tested'"


def test_a_worker_delivers_beats_and_retries_at_once(world: World) -> None:
    names = {"sweep", "careful", "heart-beat", "alarms", "chores"}
    runs = of_delivery("tested", 0.01)
    assert set(runs) == names
    with at_work(runs, threading.Event()):
        assert names <= {thread.name for thread in threading.enumerate()}
        world.commit((1, 1))
        assert wait_until(lambda: world.versions() == {1: [1]})
        assert wait_until(lambda: world.ask("SELECT kind FROM delivery_workers") == [("tested",)])
    assert not names & {thread.name for thread in threading.enumerate()}
    assert world.ask("SELECT FROM delivery_workers") == []


def test_a_thread_that_fails_begins_anew(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker_threads, "PAUSE_SECONDS", 0.0)
    begun: list[int] = []

    def fail(stopping: threading.Event) -> None:
        begun.append(1)
        if len(begun) < 3:
            raise ValueError("bad")
        stopping.wait()

    with at_work({"fragile": fail}, threading.Event()):
        assert wait_until(lambda: len(begun) == 3)
    assert caplog.text.count("the thread 'fragile' failed; it begins anew") == 2


def test_threads_end_with_their_worker_however_that_ends() -> None:
    stopping = threading.Event()
    ended: list[bool] = []

    def run(told: threading.Event) -> None:
        ended.append(told.wait(10))

    with pytest.raises(KeyError), at_work({"one": run, "other": run}, stopping):
        raise KeyError
    assert ended == [True, True]


def routine(world: World, said: list[str]) -> Routine:
    def task(connection: psycopg.Connection[object]) -> None:
        connection.execute("SELECT 1")
        said.append("task")

    def farewell(connection: psycopg.Connection[object]) -> None:
        connection.execute("SELECT 1")
        said.append("farewell")

    return Routine("tested", task, farewell)


def test_a_routine_says_farewell_and_closes_its_connection(world: World) -> None:
    said: list[str] = []
    tested = routine(world, said)
    tested.drain()
    tested.drain()
    assert len(world.ask(MINE)) == 1
    tested.close()
    assert said == ["task", "task", "farewell"]
    assert wait_until(lambda: world.ask(MINE) == [])


def test_a_routine_opens_another_connection_after_its_own_was_cut(world: World) -> None:
    said: list[str] = []
    tested = routine(world, said)
    tested.drain()
    world.ask(CUT)
    with pytest.raises(psycopg.OperationalError):
        tested.drain()
    tested.drain()
    tested.close()
    assert said == ["task", "task", "farewell"]


def test_a_routine_that_cannot_say_farewell_ends_nevertheless(world: World) -> None:
    tested = routine(world, [])
    tested.drain()
    world.ask(CUT)
    tested.close()


def test_a_routine_that_never_began_has_nobody_to_leave(world: World) -> None:
    said: list[str] = []
    routine(world, said).close()
    assert said == []
