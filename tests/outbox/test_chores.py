"""Chores are done at intervals, by one worker at a time, and one that fails stops no other."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from pytest_django import Settings

from outbox import chores
from tests.outbox.world import wait_until

HERE = "tests.outbox.test_chores"
DONE: list[str] = []
AT_WORK = threading.Event()
MAY_END = threading.Event()


def dust(connection: psycopg.Connection[Any], is_stopping: Callable[[], bool]) -> int:
    DONE.append("dust")
    return 3


def stumble(connection: psycopg.Connection[Any], is_stopping: Callable[[], bool]) -> int:
    DONE.append("stumble")
    raise LookupError("where is the broom?")


def lose_the_database(connection: psycopg.Connection[Any], is_stopping: Callable[[], bool]) -> int:
    DONE.append("lose")
    connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    return 0


def linger(connection: psycopg.Connection[Any], is_stopping: Callable[[], bool]) -> int:
    AT_WORK.set()
    MAY_END.wait(10)
    return 1


@pytest.fixture
def stopping(database: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Give the event that ends the thread that the test starts."""
    DONE.clear()
    monkeypatch.setattr(chores, "LOOK_SECONDS", 0.01)
    event = threading.Event()
    yield event
    event.set()
    for thread in threading.enumerate():
        if thread.name == "chores":
            thread.join()


def start(stopping: threading.Event) -> None:
    threading.Thread(target=chores.run_at_intervals, args=(stopping,), name="chores").start()


def test_a_chore_is_done_again_after_its_interval(stopping: threading.Event, settings: Settings) -> None:
    settings.OUTBOX = settings.OUTBOX | {"CHORES": {f"{HERE}.dust": 0.02}}
    start(stopping)
    assert wait_until(lambda: len(DONE) >= 3)


def test_a_chore_waits_for_its_interval(stopping: threading.Event, settings: Settings) -> None:
    settings.OUTBOX = settings.OUTBOX | {"CHORES": {f"{HERE}.dust": 3600, f"{HERE}.stumble": 0.02}}
    start(stopping)
    assert wait_until(lambda: DONE.count("stumble") >= 3)
    assert DONE.count("dust") == 1


@pytest.mark.parametrize(
    ("chore", "told"), [("stumble", "where is the broom?"), ("lose_the_database", "the database is away")]
)
def test_a_chore_that_fails_is_told_and_stops_no_other(
    stopping: threading.Event, settings: Settings, caplog: pytest.LogCaptureFixture, chore: str, told: str
) -> None:
    settings.OUTBOX = settings.OUTBOX | {"CHORES": {f"{HERE}.{chore}": 0.02, f"{HERE}.dust": 0.02}}
    start(stopping)
    assert wait_until(lambda: DONE.count("dust") >= 2 and len(DONE) >= 4)
    assert told in caplog.text


def test_a_chore_is_done_by_one_worker_at_a_time(database: None) -> None:
    AT_WORK.clear()
    MAY_END.clear()
    other = threading.Thread(target=chores.run, args=(f"{HERE}.linger",))
    other.start()
    assert AT_WORK.wait(10)
    assert chores.run(f"{HERE}.linger") is None
    MAY_END.set()
    other.join()
    assert chores.run(f"{HERE}.linger") == 1
