"""The doctor names who holds a lock that others wait for, and who keeps relay or delivery to themselves."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from outbox.doctor import locks
from outbox.doctor.examination import examine
from outbox.folding import DELIVERY_LOCK
from outbox.relay import RELAY_LOCK
from tests.mutants import doctors as mutants
from tests.outbox.doctor.conftest import found
from tests.outbox.world import World, put, wait_until

pytestmark = pytest.mark.usefixtures("at_once")

WAITS = "SELECT count(*) FROM pg_locks WHERE pid = $1 AND NOT granted"


@contextmanager
def held_up(world: World, application: str) -> Iterator[tuple[Any, Any]]:
    """Let a session hold the outbox, and another, of some application, wait for it."""
    holder, waiter = world.writer(), world.worker()
    holder.execute("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")
    psycopg.RawCursor(waiter).execute("SELECT set_config('application_name', $1, false)", [application])
    waiting = threading.Thread(target=_insert, args=(waiter,), daemon=True)
    waiting.start()
    assert wait_until(lambda: world.ask(WAITS, waiter.info.backend_pid) == [(1,)])
    try:
        yield holder, waiter
    finally:
        holder.rollback()
        waiting.join()


def _insert(waiter: psycopg.Connection[Any]) -> None:
    with waiter.transaction():
        psycopg.RawCursor(waiter).execute("SELECT pg_advisory_xact_lock($1::int, 7)", [RELAY_LOCK])
        put(waiter, (1, 1))


def worker_waits(world: World) -> None:
    """Check that who holds a worker up is named, with what both do."""
    with held_up(world, "delivery sweep") as (holder, waiter):
        (finding,) = found("doctor.D111")
    assert f"held by pid {holder.info.backend_pid} " in finding.what
    assert "LOCK TABLE outbox" in finding.what
    assert f"pid {waiter.info.backend_pid} (delivery sweep), which wants outbox" in finding.what
    assert f"pg_terminate_backend({holder.info.backend_pid})" in finding.mend


def test_who_holds_a_worker_up_is_named(bare_world: World) -> None:
    worker_waits(bare_world)


@pytest.mark.parametrize("mutant", [mutants.BLAMES_THE_WAITING, mutants.TAKES_NOBODY_FOR_A_WORKER])
def test_a_doctor_who_blames_the_wrong_one_is_found_out(
    bare_world: World, monkeypatch: pytest.MonkeyPatch, mutant: str
) -> None:
    monkeypatch.setattr(locks, "BLOCKERS", mutant)

    with pytest.raises((AssertionError, ValueError)):
        worker_waits(bare_world)


def test_who_holds_somebody_else_up_is_a_warning(bare_world: World) -> None:
    with held_up(bare_world, "gunicorn") as (holder, _):
        (finding,) = found("doctor.D112")
        assert found("doctor.D111") == []

    assert (finding.severity.name, str(holder.info.backend_pid) in finding.what) == ("WARNING", True)


def test_a_short_wait_is_not_named(bare_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "WAIT_SECONDS", 60)

    with held_up(bare_world, "delivery"):
        assert found("doctor.D111") == []


def test_what_is_locked_is_told_and_hides_nothing_else(bare_world: World) -> None:
    with held_up(bare_world, "delivery"):
        findings = {finding.id: finding for finding in examine()}

    assert "No look at sizes was possible" in findings["doctor.D002"].what
    assert {"doctor.D111", "doctor.D701"} <= findings.keys()


@pytest.mark.parametrize(
    ("key", "name", "is_session_lock"),
    [(RELAY_LOCK, "the relay", False), (DELIVERY_LOCK, "delivery", False), (RELAY_LOCK, "the relay", True)],
)
def test_who_keeps_the_others_off_is_named(
    bare_world: World,
    key: int,
    name: str,
    is_session_lock: bool,  # noqa: FBT001 – a parameter of the test
) -> None:
    keeper = bare_world.worker() if is_session_lock else bare_world.writer()
    function = "pg_advisory_lock" if is_session_lock else "pg_advisory_xact_lock"
    psycopg.RawCursor(keeper).execute(f"SELECT {function}($1::int, 7)", [key])

    (finding,) = found("doctor.D113")

    assert f"take on {name}, whose lock is held by pid {keeper.info.backend_pid} " in finding.what


def test_a_worker_that_is_held_up_itself_is_not_blamed(bare_world: World) -> None:
    with held_up(bare_world, "delivery") as (_, waiter):
        blamed = [one.what for one in examine() if one.id in {"doctor.D101", "doctor.D113"}]

    assert not any(f"pid {waiter.info.backend_pid} " in what for what in blamed)


def test_other_advisory_locks_are_nobodys_business(bare_world: World) -> None:
    bare_world.writer().execute("SELECT pg_advisory_xact_lock(1, 2), pg_advisory_xact_lock(3)")

    assert found("doctor.D113") == []


def test_a_prepared_transaction_that_holds_a_lock_is_named(bare_world: World) -> None:
    if bare_world.ask("SHOW max_prepared_transactions") == [("0",)]:
        pytest.skip("this server keeps no prepared transactions")
    name = f"forgotten_{uuid4().hex}"
    with held_up(bare_world, "delivery") as (holder, _):
        holder.execute(f"PREPARE TRANSACTION '{name}'")
        (finding,) = found("doctor.D111")
        bare_world.watcher.execute(f"ROLLBACK PREPARED '{name}'")

    assert "held by a prepared transaction" in finding.what
    assert "pg_prepared_xacts" in finding.mend
