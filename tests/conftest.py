"""Fixtures for tests that touch PostgreSQL or Redis: real servers, real commits."""

from collections.abc import Callable, Iterator
from functools import partial

import psycopg
import pytest
import redis
from django.conf import settings
from django.db import connection
from django.test.utils import setup_databases
from psycopg import sql
from pytest_django import DjangoDbBlocker

from outbox import epoch

Connection = psycopg.Connection[tuple[object, ...]]

# Replica role: the append-only triggers of the log stand aside. Tables are found, not listed, so that a new
# table cannot be forgotten; what migrations put there stays. A sequence that was never used is left alone.
EMPTY_THE_DATABASE = """
SET session_replication_role = replica;
SET lock_timeout = '5s';
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN
        SELECT oid::regclass::text FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0
        AND relname NOT IN
            ('django_migrations', 'django_content_type', 'auth_permission', 'projection_generations')
    LOOP
        EXECUTE 'DELETE FROM ' || name;
    END LOOP;
    PERFORM setval(s.oid, q.seqstart, false)
    FROM pg_class s JOIN pg_sequence q ON q.seqrelid = s.oid
    LEFT JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
    LEFT JOIN pg_class t ON t.oid = d.refobjid
    WHERE s.relnamespace = 'public'::regnamespace AND pg_sequence_last_value(q.seqrelid) IS NOT NULL
    AND COALESCE(t.relname, '') NOT IN
        ('django_migrations', 'django_content_type', 'auth_permission', 'projection_generations');
END $$;
"""


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_modify_db_settings: None, django_db_blocker: DjangoDbBlocker
) -> None:
    """Make the database of this run and worker, in the place of what an earlier run left."""
    name = connection.settings_dict["TEST"]["NAME"]
    with _connect(autocommit=True) as superuser:
        superuser.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
    with django_db_blocker.unblock():
        setup_databases(verbosity=0, interactive=False)
        connection.close()


@pytest.fixture(scope="session")
def _superuser(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Connection]:
    with _connect(autocommit=True) as superuser:
        yield superuser


@pytest.fixture
def empty_database(_superuser: Connection) -> Callable[[], object]:
    """Give the function that empties the database, for tests that do so in between (examples of Hypothesis)."""
    return partial(_superuser.execute, EMPTY_THE_DATABASE)


@pytest.fixture
def database(empty_database: Callable[[], object], django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Let a test commit for real, in a database that it finds empty."""
    empty_database()
    epoch._known.clear()  # that of an earlier test was emptied with its table
    with django_db_blocker.unblock():
        yield
        if connection.connection and not connection.get_autocommit():
            connection.close()  # the test failed inside a transaction, whose locks would hang the next test


@pytest.fixture
def second_connection(database: None) -> Iterator[Callable[[], Connection]]:
    """Open further connections to the database: raw clients, in a transaction from their first statement."""
    opened: list[Connection] = []

    def connect() -> Connection:
        opened.append(_connect(autocommit=False))
        return opened[-1]

    yield connect
    for one in opened:
        one.close()


@pytest.fixture
def redis_server() -> Iterator[redis.Redis]:
    """Give the Redis database that the settings name, empty."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
        yield client
        client.flushdb()


def _connect(*, autocommit: bool) -> Connection:
    parameters = connection.get_connection_params()
    wanted = {
        key: parameters[key] for key in ("host", "port", "user", "password", "dbname") if parameters.get(key)
    }
    return psycopg.connect(**wanted, autocommit=autocommit)
