"""Seeded mutants of publishers: each takes one safeguard away, and the test that guards it must fail."""

import inspect
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from psycopg.errors import UniqueViolation

from outbox.exceptions import SubscriberUnavailable
from tests.mutants import publishers as mutants
from tests.mutants.publishers import Mutant
from tests.outbox.publishers import test_addresses, test_calls, test_loop, test_signatures, test_turns
from tests.outbox.publishers.test_addresses import resolve  # noqa: F401 – a fixture
from tests.webhook_receiver import Answer

# An assertion, what the database says, a call that went elsewhere, or a process that dies once more than it may.
DEATHS = (
    AssertionError,
    pytest.fail.Exception,
    UniqueViolation,
    SubscriberUnavailable,
    test_turns.Death,
)

MUTANTS: list[tuple[Mutant, Callable[..., None], dict[str, Any]]] = [
    (
        mutants.the_checkpoint_moves_before_the_effect,
        test_turns.test_a_death_before_the_effect_loses_nothing,
        {},
    ),
    (mutants.no_lock_is_taken, test_loop.test_a_lane_is_served_by_one_worker_at_a_time, {}),
    (
        mutants.the_partition_depends_on_the_process,
        test_turns.test_an_aggregate_belongs_to_one_partition_and_keeps_its_order,
        {},
    ),
    (mutants.attempts_are_not_marked, test_turns.test_an_event_over_which_every_process_dies_is_parked, {}),
    (
        mutants.marks_do_not_wait_for_the_disk,
        test_turns.test_events_are_on_disk_before_anybody_outside_hears_of_them_and_so_is_the_checkpoint,
        {},
    ),
    (
        mutants.a_refused_event_is_stepped_over,
        test_turns.test_an_event_that_is_refused_parks_its_aggregate_and_no_other,
        {},
    ),
    (
        mutants.later_events_do_not_wait_for_a_parked_one,
        test_turns.test_an_event_that_is_refused_parks_its_aggregate_and_no_other,
        {},
    ),
    (
        mutants.what_waited_is_forgotten,
        test_turns.test_an_event_that_is_refused_parks_its_aggregate_and_no_other,
        {},
    ),
    (
        mutants.the_breaker_never_opens,
        test_turns.test_an_endpoint_that_is_away_is_put_off_and_parks_nothing,
        {},
    ),
    (
        mutants.every_failure_is_the_endpoints,
        test_turns.test_an_event_over_which_the_endpoint_falls_is_told_from_an_endpoint_that_is_away,
        {"answer": Answer(500)},
    ),
    (mutants.everybody_may_try, test_turns.test_only_one_trial_is_made_however_many_workers_want_to, {}),
    (
        mutants.the_name_is_checked_and_not_the_address,
        test_addresses.test_a_name_that_changes_its_meaning_after_the_check_changes_nothing,
        {},
    ),
    (
        mutants.an_address_is_believed_as_it_is_written,
        test_addresses.test_addresses_that_only_we_can_reach_are_refused,
        {"text": "64:ff9b::7f00:1"},
    ),
    (mutants.redirects_are_followed, test_addresses.test_redirects_are_not_followed, {"status": 302}),
    (
        mutants.a_repetition_is_not_signed,
        test_signatures.test_every_attempt_is_signed_and_has_the_id_of_the_event,
        {},
    ),
    (
        mutants.only_the_new_secret_signs,
        test_signatures.test_old_and_new_secret_both_fit_while_one_replaces_the_other,
        {},
    ),
    (
        mutants.gone_is_a_refusal_like_any_other,
        test_turns.test_gone_disables_an_endpoint_and_enabling_brings_what_it_missed,
        {},
    ),
    (
        mutants.a_pause_is_not_respected,
        test_turns.test_a_paused_subscriber_gets_nothing_until_it_is_resumed,
        {},
    ),
    (
        mutants.whoever_trickles_is_waited_for,
        test_calls.test_no_answer_is_waited_for_longer_than_the_time_out,
        {"answer": Answer(200, trickle=True)},
    ),
]


@pytest.mark.parametrize(
    ("mutant", "test", "arguments"), MUTANTS, ids=lambda part: getattr(part, "__name__", "")
)
def test_the_mutant_dies(
    mutant: Mutant,
    test: Callable[..., None],
    arguments: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    wanted = inspect.signature(test).parameters.keys() - arguments.keys()
    given = {name: request.getfixturevalue(name) for name in wanted}
    with monkeypatch.context() as patch, mutant(patch) or nullcontext(), pytest.raises(DEATHS):
        test(**given, **arguments)
