"""The doctor knows on which settings of PostgreSQL and Redis delivery rests."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import redis
from django.conf import settings as django_settings
from django.core.checks import run_checks
from django.db import connection
from psycopg import sql

from outbox.checks import check_database
from outbox.doctor import server
from outbox.doctor.findings import Severity
from tests.outbox.doctor.conftest import Connect, found, ids
from tests.outbox.test_bell import closed_port  # noqa: F401 – a fixture
from tests.outbox.world import wait_until

pytestmark = pytest.mark.usefixtures("database")


@contextmanager
def database_setting(connect: Connect, anew: Callable[[], None], name: str, value: str) -> Iterator[None]:
    """Set what new sessions of the database get."""
    superuser = connect()
    superuser.autocommit = True
    database, setting = sql.Identifier(superuser.info.dbname), sql.Identifier(name)
    superuser.execute(sql.SQL("ALTER DATABASE {} SET {} = {}").format(database, setting, sql.Literal(value)))
    anew()
    try:
        yield
    finally:
        superuser.execute(sql.SQL("ALTER DATABASE {} RESET {}").format(database, setting))
        anew()


def show(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        (value,) = cursor.fetchone()
    return str(value)


@pytest.mark.parametrize(
    ("name", "finding_id"), [("fsync", "doctor.D201"), ("full_page_writes", "doctor.D202")]
)
def test_a_server_that_may_lose_all_is_named(name: str, finding_id: str) -> None:
    """The servers that the tests start are such; a proper one is not named."""
    assert (finding_id in ids()) == (show(name) == "off")


@pytest.mark.parametrize(
    ("name", "value", "finding_id"),
    [
        ("synchronous_commit", "off", "doctor.D203"),
        ("default_transaction_isolation", "repeatable read", "doctor.D204"),
        ("default_transaction_isolation", "serializable", "doctor.D204"),
        ("session_replication_role", "replica", "doctor.D205"),
    ],
)
def test_a_setting_that_breaks_a_promise_is_named(
    second_connection: Connect, anew: Callable[[], None], name: str, value: str, finding_id: str
) -> None:
    assert found(finding_id) == []

    with database_setting(second_connection, anew, name, value):
        (finding,) = found(finding_id)

    assert finding.severity is Severity.ERROR
    assert f"{name} is {value}" in finding.what


@pytest.mark.parametrize("value", ["on", "local", "remote_write", "remote_apply"])
def test_commits_that_reach_the_disk_are_well(
    second_connection: Connect, anew: Callable[[], None], value: str
) -> None:
    with database_setting(second_connection, anew, "synchronous_commit", value):
        assert found("doctor.D203") == []


def test_a_server_that_does_not_clean_up_is_named(second_connection: Connect) -> None:
    superuser = second_connection()
    superuser.autocommit = True
    superuser.execute("ALTER SYSTEM SET autovacuum = off")
    superuser.execute("SELECT pg_reload_conf()")
    try:
        assert wait_until(lambda: show("autovacuum") == "off")
        (finding,) = found("doctor.D206")
    finally:
        superuser.execute("ALTER SYSTEM RESET autovacuum")
        superuser.execute("SELECT pg_reload_conf()")

    assert finding.severity is Severity.WARNING


@contextmanager
def cached_identities(connect: Connect) -> Iterator[None]:
    """Let each session draw identities in advance."""
    superuser = connect()
    superuser.autocommit = True
    superuser.execute("ALTER TABLE outbox ALTER COLUMN message_id SET CACHE 20")
    try:
        yield
    finally:
        superuser.execute("ALTER TABLE outbox ALTER COLUMN message_id SET CACHE 1")


def test_identities_that_are_held_back_are_named(second_connection: Connect) -> None:
    assert found("doctor.D207") == []

    with cached_identities(second_connection):
        (finding,) = found("doctor.D207")

    assert (finding.severity, "CACHE 20" in finding.what) == (Severity.ERROR, True)


def test_what_the_doctor_says_to_mend_identities_mends_them(second_connection: Connect) -> None:
    with cached_identities(second_connection):
        (finding,) = found("doctor.D207")
        with connection.cursor() as cursor:
            cursor.execute(finding.mend.partition(";")[0])

        assert found("doctor.D207") == []


def test_a_check_of_the_database_says_the_same_as_the_doctor(second_connection: Connect) -> None:
    with cached_identities(second_connection):
        messages = run_checks(tags=["database"], databases=["default"])

    assert "doctor.D207" in [message.id for message in messages]
    assert all(message.hint for message in messages)
    assert not any(message.is_serious() for message in messages if str(message.id).startswith("doctor"))


def test_checks_without_a_database_do_not_ask_one(second_connection: Connect) -> None:
    with cached_identities(second_connection):
        assert "doctor.D207" not in [message.id for message in run_checks()]
        assert check_database(None, databases=None) == []


def test_the_check_of_an_empty_database_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CACHE", server.CACHE.replace("'outbox'", "'no_such_table'"))

    assert "doctor.D207" not in [message.id for message in check_database(None, databases=["default"])]


def test_a_redis_that_evicts_is_named_and_one_that_keeps_all_is_not(redis_server: redis.Redis) -> None:
    """The policy is the whole server's, so both are looked at by one test."""
    redis_server.config_set("maxmemory-policy", "allkeys-lru")
    try:
        (finding,) = found("doctor.D302")
    finally:
        redis_server.config_set("maxmemory-policy", "noeviction")

    assert (finding.severity, "allkeys-lru" in finding.what) == (Severity.WARNING, True)
    assert ids().isdisjoint({"doctor.D301", "doctor.D302"})


def test_a_redis_that_is_away_is_named(
    closed_port: str,  # noqa: F811 – the fixture
    outbox_settings: Callable[..., None],
) -> None:
    outbox_settings(REDIS_URL=closed_port)

    assert [finding.severity for finding in found("doctor.D301")] == [Severity.WARNING]


def test_without_a_bell_no_redis_is_missed(outbox_settings: Callable[..., None]) -> None:
    outbox_settings(REDIS_URL="")

    assert ids().isdisjoint({"doctor.D301", "doctor.D302"})


def test_a_database_that_is_away_is_named() -> None:
    environment = os.environ | {
        "DATABASE_URL": "postgresql://orders@127.0.0.1:1/orders",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    command = [sys.executable, "manage.py", "doctor"]

    done = subprocess.run(
        command, cwd=django_settings.BASE_DIR, env=environment, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (2, "")
    assert "doctor.D001  The database cannot be reached" in done.stdout
