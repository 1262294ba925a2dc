"""Workers outlive their connections and look for work by themselves."""

import threading
from collections.abc import Iterator

import psycopg
import pytest

from outbox import engine as engines
from outbox.connection import connect
from outbox.engine import Engine
from outbox.exceptions import PooledConnection
from outbox.polling import drain_safely, poll
from tests.mutants.engines import DeafEngine, FaithfulEngine
from tests.outbox.guarantees import Broken, expect
from tests.outbox.world import World, wait_until

MINE = "FROM pg_stat_activity WHERE application_name = 'tested' AND datname = current_database()"
CUT = f"SELECT pg_terminate_backend(pid) {MINE}"


@pytest.fixture
def engine(world: World) -> Iterator[Engine]:
    """Give an engine with a connection of its own."""
    made = Engine("tested")
    yield made
    made.close()


def finds_what_nobody_rang_for(world: World, engine: Engine) -> None:
    """Check that a message whose bell was lost is delivered within the sweep's interval or so."""
    stopping = threading.Event()
    sweep = threading.Thread(target=poll, args=(engine, 0.01, stopping))
    sweep.start()
    try:
        world.commit((1, 1))
        arrived = wait_until(lambda: world.versions() == {1: [1]}, seconds=2)
    finally:
        stopping.set()
        sweep.join()
    expect(arrived, True)


def goes_on_after_a_cut(world: World, tested: Engine) -> None:
    """Check that an engine delivers again once the database is back."""
    for version in (1, 2):
        world.commit((1, version))
        for _ in range(3):
            drain_safely(tested, threading.Event().is_set)
        world.ask(CUT)
    expect(world.versions(), {1: [1, 2]})


def test_what_nobody_rang_for_is_found(world: World, engine: Engine) -> None:
    finds_what_nobody_rang_for(world, engine)


def test_a_worker_that_waits_for_the_bell_loses_it(world: World) -> None:
    with pytest.raises(Broken):
        finds_what_nobody_rang_for(world, DeafEngine("tested"))


def test_a_worker_goes_on_after_its_connection_was_cut(world: World, engine: Engine) -> None:
    goes_on_after_a_cut(world, engine)


def test_a_worker_that_clings_to_its_connection_is_caught(world: World) -> None:
    clinging = FaithfulEngine("tested")
    with pytest.raises(Broken):
        goes_on_after_a_cut(world, clinging)
    Engine.close(clinging)


def test_an_error_that_nobody_foresaw_does_not_end_a_worker(
    world: World, engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engine, "_opened", lambda: {}["nothing"])
    assert drain_safely(engine, threading.Event().is_set) == 0
    assert "delivery failed" in caplog.text


def test_a_worker_goes_on_after_the_database_was_away(
    world: World, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    world.commit((1, 1))
    engine.drain()
    world.ask(CUT)
    world.commit((1, 2))
    assert drain_safely(engine, threading.Event().is_set) == 0
    assert drain_safely(engine, threading.Event().is_set) == 1
    assert "the database is away" in caplog.text


def test_a_worker_does_not_wait_for_what_it_cannot_have(world: World, engine: Engine) -> None:
    engine.drain()
    (session,) = world.ask(f"SELECT application_name, state {MINE}")
    assert session == ("tested", "idle")
    connection = engine._opened().connection
    settings = (
        "jit",
        "client_connection_check_interval",
        "statement_timeout",
        "idle_in_transaction_session_timeout",
    )
    shown = [connection.execute(f"SHOW {name}").fetchone() for name in settings]
    assert shown == [("off",), ("1s",), ("30s",), ("10s",)]


def test_a_pooler_is_refused(database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psycopg.ConnectionInfo, "backend_pid", 0)
    with pytest.raises(PooledConnection):
        connect("tested")


def test_old_checkpoints_are_swept(world: World, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "KEEP_CHECKPOINTS_SECONDS", 0.0)
    monkeypatch.setattr(engines, "SWEEP_CHECKPOINTS_SECONDS", 0.0)
    for version in (1, 2, 3):
        world.commit((1, version))
        engine.drain()
    assert world.ask("SELECT from_position, to_position FROM checkpoints") == [(2, 3)]
