"""Tests of what the other tests stand on."""

import time

import pytest
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import connection

APPEND_ONLY = """
CREATE TABLE IF NOT EXISTS append_only (id bigint GENERATED ALWAYS AS IDENTITY, word text);
CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'append-only'; END $$;
CREATE OR REPLACE TRIGGER refuse BEFORE DELETE ON append_only FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE OR REPLACE TRIGGER refuse_all BEFORE TRUNCATE ON append_only EXECUTE FUNCTION refuse();
INSERT INTO append_only (word) VALUES ('kept') RETURNING id;
"""


@pytest.mark.parametrize("round_", [1, 2])
def test_every_test_finds_an_empty_database_and_fresh_ids(database, round_):
    assert not get_user_model().objects.exists()

    user = get_user_model().objects.create_user("somebody")

    assert user.pk == 1


@pytest.mark.parametrize("round_", [1, 2])
def test_an_append_only_table_that_nobody_named_is_emptied_too(database, round_):
    with connection.cursor() as cursor:
        cursor.execute(APPEND_ONLY)
        while cursor.nextset():
            pass
        cursor.execute("SELECT id FROM append_only")
        assert cursor.fetchall() == [(1,)]


def test_what_migrations_made_stays(database):
    assert ContentType.objects.exists()


def test_emptying_the_database_is_quick(database, empty_database):
    get_user_model().objects.create_user("somebody")
    durations = []
    for _ in range(10):
        began = time.perf_counter()
        empty_database()
        durations.append(time.perf_counter() - began)

    assert min(durations) < 0.015


def test_commits_are_real(database, second_connection):
    get_user_model().objects.create_user("somebody")

    assert second_connection().execute("SELECT username FROM users").fetchall() == [("somebody",)]


def test_further_connections_are_clients_of_their_own(second_connection):
    one, other = second_connection(), second_connection()

    one.execute("CREATE TABLE unseen ()")

    assert other.execute("SELECT to_regclass('unseen')").fetchone() == (None,)


@pytest.mark.parametrize("round_", [1, 2])
def test_every_test_finds_an_empty_redis(redis_server, round_):
    assert redis_server.dbsize() == 0

    redis_server.set("word", "gone soon")
