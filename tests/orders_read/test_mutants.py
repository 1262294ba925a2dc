"""Seeded mutants of the read side: each takes one safeguard away, and the test that guards it must fail."""

import inspect
from collections.abc import Callable

import pytest

from tests.mutants import reading as mutants
from tests.mutants.reading import Mutant

from . import test_consistency, test_queries, test_tokens_over_http
from .test_consistency import token  # noqa: F401 – a fixture
from .test_queries import ada, eve, shop  # noqa: F401 – fixtures
from .test_tokens_over_http import clerk  # noqa: F401 – a fixture

pytestmark = pytest.mark.usefixtures("database")

MUTANTS: list[tuple[Mutant, Callable[..., None]]] = [
    (
        mutants.the_newest_read_model_counts,
        test_consistency.test_every_read_model_that_is_named_must_have_come_so_far_and_no_other,
    ),
    (
        mutants.what_is_in_the_log_counts_as_shown,
        test_consistency.test_every_read_model_that_is_named_must_have_come_so_far_and_no_other,
    ),
    (mutants.who_has_waited_long_enough_is_answered, test_consistency.test_all_tokens_are_waited_for),
    (mutants.a_token_of_any_history_is_believed, test_consistency.test_a_token_of_another_history_is_refused),
    (mutants.a_future_token_is_accepted, test_consistency.test_a_token_of_what_never_happened_is_refused),
    (mutants.everybody_may_wait, test_tokens_over_http.test_only_some_may_wait_at_once),
    (mutants.a_pause_is_waited_for, test_consistency.test_a_paused_read_model_says_so_at_once),
    (mutants.what_is_parked_counts_as_shown, test_consistency.test_what_is_parked_says_so_at_once),
    (mutants.only_the_last_message_counts, test_consistency.test_any_aggregate_of_a_command_may_be_parked),
    (
        mutants.only_the_log_has_a_lag,
        test_consistency.test_the_lag_is_the_age_of_the_oldest_event_that_is_not_taken_in,
    ),
    (
        mutants.the_position_of_another_read_model_is_signed,
        test_tokens_over_http.test_the_token_of_an_answer_is_that_of_its_own_read_model,
    ),
    (
        mutants.the_checkpoint_is_read_after_the_answer,
        test_tokens_over_http.test_the_token_of_an_answer_tells_exactly_what_was_shown,
    ),
    (
        mutants.the_checkpoint_is_read_before_the_answer,
        test_tokens_over_http.test_the_token_of_an_answer_tells_exactly_what_was_shown,
    ),
    (
        mutants.an_older_answer_takes_the_reader_back,
        test_tokens_over_http.test_a_lenient_reader_is_not_taken_back,
    ),
    (
        mutants.an_order_is_shown_to_whoever_knows_its_number,
        test_queries.test_an_order_of_another_customer_is_not_found,
    ),
    (
        mutants.a_list_shows_everybodys_orders,
        test_queries.test_a_list_shows_a_customer_their_own_orders_only,
    ),
]


@pytest.mark.parametrize(("mutant", "test"), MUTANTS, ids=lambda part: part.__name__)
def test_the_mutant_dies(
    mutant: Mutant,
    test: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    given = {name: request.getfixturevalue(name) for name in inspect.signature(test).parameters}

    with monkeypatch.context() as patch:
        mutant(patch)
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            test(**given)
