"""Old answers are forgotten, fresh ones are not, and what they did stays done."""

from io import StringIO

import pytest
from django.core.management import call_command
from psycopg import RawCursor

from orders_write import sweeping
from orders_write.checks import check_settings
from orders_write.sweeping import sweep_idempotency_keys
from outbox import chores
from outbox.connection import django_connection

from .shop import customer, do, key, list_products, rows, wish

MUTANT = sweeping.SWEEP.replace("created_at < clock_timestamp()", "created_at < 'infinity'::timestamptz")


def keep(name: str, days_old: float) -> None:
    """Answer a command, so long ago."""
    do(wish(None), key=key(name))
    age = f"UPDATE idempotency_keys SET created_at = now() - interval '{days_old} days' WHERE key = '{name}'"
    RawCursor(django_connection()).execute(age)


def test_the_lines_of_a_file_are_known_for_ever(database: None) -> None:
    list_products("mug")
    do(wish(None), key=key("1", scope="import:0a1b"))
    RawCursor(django_connection()).execute("UPDATE idempotency_keys SET created_at = '2001-01-01'")
    assert sweep_idempotency_keys(django_connection()) == 0
    assert do(wish(None), key=key("1", scope="import:0a1b")).replayed


def names() -> list[str]:
    return [name for (name,) in rows("SELECT key FROM idempotency_keys ORDER BY key")]


@pytest.fixture
def answers(database: None) -> None:
    list_products("mug")
    for name, days_old in (("ancient", 400), ("fresh", 0), ("old", 30.01), ("young", 29.9)):
        keep(name, days_old)


@pytest.mark.usefixtures("answers")
def test_answers_older_than_the_setting_are_forgotten() -> None:
    assert sweep_idempotency_keys(django_connection()) == 2
    assert names() == ["fresh", "young"]


@pytest.mark.usefixtures("answers")
def test_a_sweep_that_deletes_fresh_keys_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "SWEEP", MUTANT)
    with pytest.raises(AssertionError):
        test_answers_older_than_the_setting_are_forgotten()


@pytest.mark.usefixtures("answers")
def test_the_sweep_goes_on_until_nothing_old_is_left_or_it_is_told_to_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sweeping, "BATCH_SIZE", 1)
    assert sweep_idempotency_keys(django_connection(), lambda: True) == 0
    assert sweep_idempotency_keys(django_connection()) == 2
    assert names() == ["fresh", "young"]


@pytest.mark.usefixtures("answers")
def test_a_key_that_was_forgotten_may_be_used_for_another_request() -> None:
    assert chores.run("orders_write.sweeping.sweep_idempotency_keys") == 2
    again = do(wish(customer()), key=key("old", fingerprint=b"another"))
    assert (again.replayed, len(again.events)) == (False, 1)
    assert do(wish(None), key=key("young")).replayed


@pytest.mark.usefixtures("answers")
def test_the_command_says_how_many_went() -> None:
    out = StringIO()
    call_command("sweep_idempotency_keys", stdout=out)
    assert out.getvalue() == "2 answers deleted.\n"


@pytest.mark.usefixtures("database")
def test_the_sweep_reads_the_oldest_by_index() -> None:
    connection = django_connection()
    many = (
        "INSERT INTO idempotency_keys SELECT 's', 'k' || n, '', 200, '{}', '', now() - n * interval '1 second'"
        " FROM generate_series(1, 20000) AS n"
    )
    connection.execute(many)
    connection.execute("ANALYZE idempotency_keys")
    with RawCursor(connection) as cursor:
        cursor.execute("EXPLAIN " + sweeping.SWEEP, [19_000.0, 1_000])
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "idempotency_keys_created_at" in plan
    assert "Tid Scan" in plan
    assert "Seq Scan" not in plan


@pytest.mark.parametrize(
    ("days", "errors"), [(30, []), (0.5, []), (0, ["orders_write.E001"]), ("30", ["orders_write.E001"])]
)
def test_a_time_that_means_nothing_is_named(settings, days, errors) -> None:
    settings.IDEMPOTENCY_KEEP_DAYS = days
    assert [one.id for one in check_settings(None)] == errors
