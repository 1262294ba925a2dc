"""Seeded mutants of the write side: each takes one safeguard away, and the test that guards it must fail."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from django.db import connection
from psycopg import errors

from tests.mutants import commands as mutants
from tests.mutants.commands import Mutant, Patch

from . import test_concurrency, test_durability, test_guards, test_handlers, test_idempotency
from .test_concurrency import Connect

pytestmark = pytest.mark.usefixtures("database")

shop = test_guards.shop

# A mutant dies by an assertion, or by what the database says when nothing else stopped it: never by a slip of its own.
DEATHS = (AssertionError, pytest.fail.Exception, errors.LockNotAvailable, errors.UniqueViolation)

MUTANTS: list[tuple[Mutant, Callable[..., None], tuple[Any, ...]]] = [
    (
        mutants.stock_is_read_without_a_lock,
        test_concurrency.test_rows_are_locked_before_anything_is_written,
        ("place", ["stock"], Connect),
    ),
    (
        mutants.stock_is_locked_and_read_at_once,
        test_concurrency.test_an_order_that_waited_takes_the_price_that_stands_then,
        (Connect,),
    ),
    (
        mutants.locks_are_taken_in_any_order,
        test_concurrency.test_every_lock_is_taken_in_order_before_the_first_write,
        (Patch,),
    ),
    (
        mutants.messages_go_out_before_the_locks,
        test_concurrency.test_every_lock_is_taken_in_order_before_the_first_write,
        (Patch,),
    ),
    (
        mutants.messages_go_out_before_the_locks,
        test_concurrency.test_a_command_takes_four_round_trips,
        ("place",),
    ),
    (
        mutants.a_key_is_looked_up_but_not_claimed,
        test_idempotency.test_while_the_first_is_running_the_second_is_told_so_at_once,
        (Connect,),
    ),
    (mutants.the_answer_is_not_stored, test_idempotency.test_one_key_has_one_effect_and_one_answer, ()),
    (mutants.the_answer_is_not_stored, test_idempotency.test_a_refusal_is_an_answer_too, ()),
    (
        mutants.another_body_under_the_same_key_is_not_noticed,
        test_idempotency.test_a_key_is_not_used_for_another_request,
        (),
    ),
    (
        mutants.the_trigger_sleeps,
        test_guards.test_sql_cannot_change_an_aggregate_without_an_event,
        (None, "orders", "version = version", test_guards.MUST_RAISE),
    ),
    (mutants.orders_can_be_deleted, test_guards.test_what_happened_is_not_removed, (None, "orders")),
    (
        mutants.a_lost_race_is_not_repeated,
        test_concurrency.test_two_orders_of_one_reference_leave_one,
        (Connect,),
    ),
    (mutants.the_owner_is_not_asked, test_handlers.test_another_customers_order_is_not_found, ()),
    (mutants.credit_is_not_freed, test_handlers.test_credit_is_freed, ("pay",)),
    (
        mutants.a_refused_command_keeps_its_stock,
        test_handlers.test_a_batch_is_decided_in_order_upon_the_same_aggregates,
        (),
    ),
    (
        mutants.a_lock_is_asked_for_and_never_taken,
        test_concurrency.test_rows_are_locked_before_anything_is_written,
        ("place", ["stock"], Connect),
    ),
    (
        mutants.a_command_does_not_wait_for_the_disk,
        test_durability.test_what_was_answered_is_on_the_disk,
        (Patch,),
    ),
]


@pytest.mark.parametrize(
    ("mutant", "test", "arguments"), MUTANTS, ids=lambda part: getattr(part, "__name__", "")
)
def test_the_mutant_dies(
    mutant: Mutant,
    test: Callable[..., None],
    arguments: tuple[Any, ...],
    monkeypatch: pytest.MonkeyPatch,
    second_connection: Connect,
    request: pytest.FixtureRequest,
) -> None:
    if test.__module__ == test_guards.__name__:
        request.getfixturevalue("shop")
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '1s'")  # a mutant may wait for ever where the real thing does not

    with monkeypatch.context() as patch, mutant(patch) or nullcontext():
        known = {Connect: second_connection, Patch: patch}  # what the test patches is undone with the mutant
        given = [known.get(each, each) if _is_placeholder(each) else each for each in arguments]
        with pytest.raises(DEATHS):
            test(*given)


def _is_placeholder(argument: Any) -> bool:
    return isinstance(argument, type | type(Connect))
