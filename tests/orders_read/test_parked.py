"""Whatever was parked, whenever, is taken in later: then every read model is what a replay would make of the log."""

from typing import Any

import psycopg
import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from outbox import dead_letters
from outbox.careful import CarefulDelivery
from outbox.connection import django_connection
from outbox.dead_letters import Failure
from outbox.folding import FOLDS, advance
from outbox.folds import GenerationKey
from tests.mutants import careful as mutants
from tests.outbox.guarantees import Broken

from . import reference
from .histories import histories, long_history, write_to_log
from .test_folds import KEYS, rows, slow

KEYS_OF_GENERATIONS = "SELECT projection, generation, statements_hash FROM projection_generations"
EVENTS_OF = "SELECT aggregate_type, aggregate_id, max(position) FROM event_log GROUP BY 1, 2 ORDER BY 3"
START_ANEW = "DELETE FROM checkpoints; DELETE FROM dead_letters; DELETE FROM delivery_failures;"
CAUSE = Failure("ValueError", "a test parks it", "ValueError")


def take_in(history: Any, parks: list[int], make: Any, empty_database: Any) -> tuple[dict[str, Any], int]:
    """Fold a history, parking the aggregates of the events at these places when they come, then retry everything.

    Returns each table as rows by key, and where the history begins.
    """
    empty_database()
    before = write_to_log(history)
    after = before + len(history)
    lent = django_connection()
    lent.execute(START_ANEW)
    members = [GenerationKey(*row) for row in lent.execute(KEYS_OF_GENERATIONS)]
    FOLDS.load(lent, members)
    stops = sorted({before + place for place in parks if place < len(history)})
    position = 0
    for stop in [*stops, after]:
        if stop > position:
            with lent.transaction():
                advance(lent, members, position, stop, parked=members)
            position = stop
        if stop < after:
            _park(lent, members, stop + 1)
    while make(lent).run_due():
        pass
    assert lent.execute("SELECT FROM dead_letters WHERE state <> 'delivered'").fetchall() == []
    with connection.cursor() as cursor:
        return {name: rows(cursor, name) for name in KEYS}, before


def _park(lent: psycopg.Connection[Any], members: list[GenerationKey], position: int) -> None:
    event = dead_letters.event_at(lent, position)
    for key in members:
        parked = dead_letters.open_letters(lent, key.projection, key.generation)
        if (event.aggregate_type, event.aggregate_id) not in {
            (letter.event.aggregate_type, letter.event.aggregate_id) for letter in parked
        }:
            dead_letters.park(lent, key.projection, key.generation, event, CAUSE)
    lent.execute("UPDATE dead_letters SET next_attempt_at = now() WHERE state = 'waiting'")


def equals_a_replay(history: Any, parks: list[int], make: Any, empty_database: Any) -> None:
    """Check that rows are equal, the rows' versions being newer where they were mended late."""
    found, before = take_in(history, parks, make, empty_database)
    expected = reference.fold(history, before + 1)
    for name in KEYS:
        if found[name].keys() != expected[name].keys():
            raise Broken(name)
        for key, row in expected[name].items():
            late, version = found[name][key].pop("row_version"), row.pop("row_version")
            if not version <= late <= before + len(history) or found[name][key] != row:
                raise Broken((name, key, found[name][key], row))


@given(history=histories, parks=st.lists(st.integers(0, 60), min_size=1, max_size=6))
@slow
def test_what_was_parked_makes_no_difference_in_the_end(
    database: None, empty_database: Any, history: Any, parks: list[int]
) -> None:
    equals_a_replay(history, parks, CarefulDelivery, empty_database)


def test_what_was_parked_makes_no_difference_in_a_long_history(database: None, empty_database: Any) -> None:
    equals_a_replay(long_history(200), list(range(0, 190, 7)), CarefulDelivery, empty_database)


def test_who_delivers_only_the_dead_letter_itself_is_caught(database: None, empty_database: Any) -> None:
    with pytest.raises(Broken):
        equals_a_replay(long_history(100), [5, 20, 40], mutants.ForgetsTheFollowing, empty_database)
