"""The doctor names who keeps dead rows from being removed, and nobody else."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import psycopg
import pytest
from django.db import connection

from outbox.doctor import horizon
from tests.mutants import doctors as mutants
from tests.outbox.doctor.conftest import Connect, found, ids

pytestmark = pytest.mark.usefixtures("database", "at_once")

FORGOTTEN = f"forgotten_{uuid4().hex}"  # these names are the whole server's
Raw = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def elsewhere(second_connection: Connect) -> Iterator[Raw]:
    """Give a stepped connection to another database of the server."""
    here = second_connection()
    with psycopg.connect(here.info.dsn, password=here.info.password, dbname="postgres") as there:
        here.close()
        yield there
        there.rollback()


def pids() -> set[int]:
    return {int(finding.what.partition("pid ")[2].split()[0]) for finding in found("doctor.D101")}


def old_snapshot(here: Raw, there: Raw) -> None:
    """Check that a snapshot of this database is named, with what its session runs."""
    here.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    here.execute("SET application_name = 'a long report'")
    here.execute("SELECT count(*) FROM event_log, generate_series(1, 1) AS " + "x" * 60)
    assert here.info.backend_pid in pids()
    (finding,) = [one for one in found("doctor.D101") if f"pid {here.info.backend_pid} " in one.what]
    assert "keeps a snapshot" in finding.what
    assert "a long report" in finding.what
    assert "idle in transaction" in finding.what
    assert "SELECT count(*) FROM event_log" in finding.what
    assert f"pg_terminate_backend({here.info.backend_pid})" in finding.mend


def write_elsewhere(here: Raw, there: Raw) -> None:
    """Check that a transaction that has written in another database is named."""
    there.execute("SELECT pg_current_xact_id()")
    assert there.info.backend_pid in pids()


def snapshot_elsewhere(here: Raw, there: Raw) -> None:
    """Check that a snapshot of another database, which does no harm here, is not named."""
    there.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    there.execute("SELECT 1")
    assert there.info.backend_pid not in pids()


def idle_with_nothing(here: Raw, there: Raw) -> None:
    """Check that an open transaction that has no snapshot is not named."""
    here.execute("SELECT 1")
    assert here.info.backend_pid not in pids()


PROMISES = [old_snapshot, write_elsewhere, snapshot_elsewhere, idle_with_nothing]


@pytest.mark.parametrize("promise", PROMISES)
def test_who_holds_the_horizon_is_named(
    second_connection: Connect, elsewhere: Raw, promise: Callable[[Raw, Raw], None]
) -> None:
    promise(second_connection(), elsewhere)


@pytest.mark.parametrize(
    ("mutant", "promise"),
    [
        (mutants.SEES_THIS_DATABASE_ONLY, write_elsewhere),
        (mutants.BLAMES_EVERY_SNAPSHOT, snapshot_elsewhere),
        (mutants.BLAMES_EVERY_TRANSACTION, idle_with_nothing),
        (mutants.SEES_WRITES_ONLY, old_snapshot),
    ],
)
def test_a_doctor_who_blames_others_is_found_out(
    second_connection: Connect,
    elsewhere: Raw,
    monkeypatch: pytest.MonkeyPatch,
    mutant: str,
    promise: Callable[[Raw, Raw], None],
) -> None:
    monkeypatch.setattr(horizon, "SESSIONS", mutant)

    with pytest.raises(AssertionError):
        promise(second_connection(), elsewhere)


def test_a_long_query_is_cut(second_connection: Connect) -> None:
    here = second_connection()
    here.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    here.execute(f"SELECT '{'x' * 500}'")

    (finding,) = [one for one in found("doctor.D101") if f"pid {here.info.backend_pid} " in one.what]

    assert "x" * 180 in finding.what
    assert "x" * 201 not in finding.what


def test_a_young_transaction_is_not_named(
    second_connection: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(horizon, "OLD_SECONDS", 60)
    here = second_connection()
    here.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    here.execute("SELECT count(*) FROM event_log")

    assert here.info.backend_pid not in pids()


def test_a_prepared_transaction_is_named(second_connection: Connect) -> None:
    if connection.cursor().execute("SHOW max_prepared_transactions").fetchone() == ("0",):
        pytest.skip("this server keeps no prepared transactions")
    here = second_connection()
    here.execute("SELECT pg_current_xact_id()")
    here.execute(f"PREPARE TRANSACTION '{FORGOTTEN}'")

    (finding,) = [one for one in found("doctor.D102") if f"'{FORGOTTEN}'" in one.what]
    here.autocommit = True
    here.execute(f"ROLLBACK PREPARED '{FORGOTTEN}'")

    assert f"ROLLBACK PREPARED '{FORGOTTEN}'" in finding.mend
    assert not any(f"'{FORGOTTEN}'" in one.what for one in found("doctor.D102"))


def test_a_slot_that_nobody_reads_is_named(second_connection: Connect) -> None:
    here = second_connection()
    here.autocommit = True
    here.execute(f"SELECT pg_create_physical_replication_slot('{FORGOTTEN}', true)")

    (finding,) = [one for one in found("doctor.D103") if f"'{FORGOTTEN}'" in one.what]
    here.execute(f"SELECT pg_drop_replication_slot('{FORGOTTEN}')")

    assert "of the write-ahead log" in finding.what
    assert f"pg_drop_replication_slot('{FORGOTTEN}')" in finding.mend


def test_with_nobody_there_nobody_is_blamed() -> None:
    assert ids().isdisjoint({"doctor.D111", "doctor.D112", "doctor.D113"})
