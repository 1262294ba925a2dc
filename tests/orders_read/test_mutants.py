"""Seeded mutants of the read side: each takes one safeguard away, and the test that guards it must fail."""

import inspect
from collections.abc import Callable

import pytest

from tests.mutants import reading as mutants
from tests.mutants.reading import Mutant

from . import test_consistency, test_queries
from .test_consistency import token  # noqa: F401 – a fixture
from .test_queries import ada, eve, shop  # noqa: F401 – fixtures

pytestmark = pytest.mark.usefixtures("database")

MUTANTS: list[tuple[Mutant, Callable[..., None]]] = [
    (
        mutants.the_newest_read_model_counts,
        test_consistency.test_every_read_model_that_is_named_must_have_come_so_far,
    ),
    (
        mutants.what_is_in_the_log_counts_as_shown,
        test_consistency.test_every_read_model_that_is_named_must_have_come_so_far,
    ),
    (
        mutants.who_has_waited_long_enough_is_answered,
        test_consistency.test_what_is_not_delivered_is_not_visible,
    ),
    (mutants.a_token_of_any_history_is_believed, test_consistency.test_a_token_of_another_history_is_refused),
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
