"""Stored folds become statements over a range."""

from collections.abc import Callable
from typing import Any

import pytest

from outbox.exceptions import StaleCheckpoint
from outbox.folds import GenerationKey, StoredFolds, executable


def test_the_batch_stands_before_the_fold_and_the_tables_are_named() -> None:
    fold = "INSERT INTO {table} SELECT count(*) FROM batch LEFT JOIN {table:other} ON true WHERE '{}' LIKE '100%'"
    made = executable(fold, "read_one_g2", 2).of_range
    assert made.startswith("WITH batch AS MATERIALIZED (")
    assert 'INSERT INTO "read_one_g2"' in made
    assert 'LEFT JOIN "read_other_g2"' in made
    assert made.endswith("WHERE '{}' LIKE '100%'")


def test_personal_data_is_joined_only_for_a_fold_that_asks_for_it() -> None:
    asks = executable("INSERT INTO {table} SELECT personal ->> 'name' FROM batch", "t", 1)
    does_not = executable("INSERT INTO {table} SELECT impersonal FROM batch", "t", 1)
    assert "event_personal" in asks.of_range
    assert "event_personal" not in does_not.of_range


def test_a_generation_that_is_gone_is_not_taken_for_one_without_folds(
    second_connection: Callable[[], Any],
) -> None:
    folds, key = StoredFolds(), GenerationKey("dropped", 1, "hash")
    for _ in range(2):  # nor is it remembered as one
        with pytest.raises(StaleCheckpoint):
            folds.load(second_connection(), [key])
