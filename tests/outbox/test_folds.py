"""Stored folds become statements over a range."""

from outbox.folds import executable


def test_the_batch_stands_before_the_fold_and_the_tables_are_named() -> None:
    fold = "INSERT INTO {table} SELECT count(*) FROM batch LEFT JOIN {table:other} ON true WHERE '{}' LIKE '100%'"
    made = executable(fold, "read_one_g2", 2)
    assert made.startswith("WITH batch AS MATERIALIZED (")
    assert 'INSERT INTO "read_one_g2"' in made
    assert 'LEFT JOIN "read_other_g2"' in made
    assert made.endswith("WHERE '{}' LIKE '100%'")


def test_personal_data_is_joined_only_for_a_fold_that_asks_for_it() -> None:
    assert "event_personal" in executable("INSERT INTO {table} SELECT personal ->> 'name' FROM batch", "t", 1)
    assert "event_personal" not in executable("INSERT INTO {table} SELECT impersonal FROM batch", "t", 1)
