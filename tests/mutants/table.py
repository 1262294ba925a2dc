"""Every seeded bug: which promise it breaks, and the test or the torture that it dies of.

A guarantee is one of G1 to G10 of docs/guarantees.md; `ops` is what operators are told. A name with a dot is something
in this folder; another is made of the product by the test itself.
"""

import importlib
from dataclasses import dataclass
from itertools import chain
from typing import Any

from tests.torture.mutants import MUTANTS as TORTURED
from tests.torture.mutants import TortureMutant

TORTURE = "torture"
GUARANTEES = ("ops", *(f"G{number}" for number in range(1, 11)))
Row = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A seeded bug; `killed_by` is a test under tests/ that passes when it dies, or torture."""

    name: str
    guarantee: str
    bug: str
    killed_by: str

    @property
    def row(self) -> str:
        """Tell this row of the table from all others."""
        return f"{self.name} by {self.killed_by}".replace(",", ";")

    def seeded(self) -> Any:
        """Give the class, function or statement; None when the test makes it itself."""
        module, _, attribute = self.name.rpartition(".")
        return getattr(importlib.import_module(f"tests.mutants.{module}"), attribute) if module else None

    def torture(self) -> TortureMutant:
        """Give the run that kills it."""
        return next(one for one in TORTURED if f"torture {one.name}" == self.name)


def _killed_by(test: str, *rows: Row) -> list[Mutant]:
    return [Mutant(name, guarantee, bug, test) for name, guarantee, bug in rows]


def _tortured(**guarantees: str) -> list[Mutant]:
    return [
        Mutant(f"torture {one.name}", guarantees[one.name], one.bug, TORTURE)
        for one in TORTURED
        if one.name in guarantees
    ]


RELAYS = [
    _killed_by(
        "outbox/test_relay.py::test_a_mutant_breaks_the_promise",
        ("relays.IdentityPoller", "G1", "the outbox is read after the last identity: a late commit is lost"),
        ("relays.LastRelayedBoundCarrier", "G1", "the scan begins after the last relayed identity"),
        ("relays.HeedlessBoundCarrier", "G1", "the scan's bound asks nobody who still writes"),
        ("relays.TwoStatementCarrier", "G1", "what is copied, and what is deleted, are two looks"),
        ("relays.IdentityPositionsCarrier", "G2", "the identity is taken for the position"),
        ("relays.OldestTransactionPoller", "G2", "ordered by xmin, up to the oldest running transaction"),
        ("relays.SequenceCarrier", "G2", "two relays SKIP LOCKED, positions from a sequence"),
        ("relays.HastyBoundCarrier", "G1", "the scan's bound passes what a batch has left"),
        ("relays.NoBoundCarrier", "ops", "the scan begins at the first dead row each time"),
        ("relays.PatientBoundCarrier", "ops", "the scan's bound stays while there is a backlog"),
    ),
    _killed_by(
        "outbox/test_relay.py::test_without_lock_and_position_key_positions_are_doubled",
        ("relays.UnlockedCarrier", "G2", "two relays, no lock, no key of positions"),
    ),
    _killed_by(
        "outbox/test_interleavings.py::test_a_history_is_found_that_a_mutant_breaks",
        ("relays.IdentityPoller", "G1", "the same, in a history that Hypothesis finds"),
        ("relays.OldestTransactionPoller", "G2", "the same, in a history that Hypothesis finds"),
    ),
    _killed_by(
        "outbox/test_partitions.py::test_a_relay_that_makes_room_late_is_caught",
        ("partitions.LateRelay", "G1", "partitions are made when there is no room left"),
    ),
    _killed_by(
        "outbox/test_partitions.py::test_a_relay_that_waits_for_those_who_hold_the_log_is_caught",
        ("partitions.WaitingRelay", "G2", "CREATE … PARTITION OF waits for every reader of the log"),
        ("partitions.PatientRelay", "G2", "the relay waits for a lock with its own in its hand"),
    ),
]

DELIVERIES = [
    _killed_by(
        "outbox/test_delivery.py::test_without_compare_and_set_a_zombie_folds_twice",
        ("deliveries.HEEDLESS_MOVE", "G3", "no compare-and-set: whoever comes writes the checkpoint"),
    ),
    _killed_by(
        "outbox/test_delivery.py::test_with_the_checkpoint_in_a_transaction_of_its_own_a_zombie_folds_twice",
        ("deliveries.fold_then_move", "G3", "effect and checkpoint in two transactions"),
    ),
    _killed_by(
        "outbox/test_delivery.py::test_a_mutant_does_not_stop_alone",
        ("deliveries.AllOrNothing", "G9", "who fails stays in the common rounds"),
        ("deliveries.Skipper", "G9", "what cannot be folded is stepped over"),
    ),
    _killed_by(
        "outbox/test_quiet.py::test_a_mutant_that_rests_too_soon_is_caught",
        ("quiet.TrustingQuiet", "G1", "no new identity, so no late commit is looked for"),
        ("quiet.LateMarksQuiet", "G1", "what came during the last look is not looked for"),
    ),
    _killed_by(
        "outbox/test_quiet.py::test_a_poll_that_looks_at_the_tables_is_caught",
        ("quiet.RestlessEngine", "ops", "a poll with nothing to do reads all the tables"),
    ),
    _killed_by(
        "outbox/test_engine.py::test_a_worker_that_waits_for_the_bell_loses_it",
        ("engines.DeafEngine", "G1", "a worker waits to be called"),
    ),
    _killed_by(
        "outbox/test_engine.py::test_a_worker_that_clings_to_its_connection_is_caught",
        ("engines.FaithfulEngine", "G1", "a connection that was cut is used again"),
    ),
    _killed_by(
        "outbox/test_checkpoints.py::test_a_sweep_that_forgets_publishers_is_caught",
        ("sweep of attempts, publishers forgotten", "G9", "marks of publishers' attempts are swept"),
    ),
    _killed_by(
        "outbox/test_checkpoints.py::test_a_sweep_that_forgets_a_killer_or_keeps_everything_is_caught",
        ("sweep of attempts, one condition changed", "G9", "the note of an attempt that killed is swept"),
    ),
]

DEAD_LETTERS = [
    _killed_by(
        "outbox/test_careful.py::test_who_parks_otherwise_is_caught",
        ("careful.Dropper", "G9", "later events of the aggregate pass by its dead letter"),
        ("careful.StandsStill", "G9", "all wait at the poison event"),
    ),
    _killed_by(
        "outbox/test_careful.py::test_who_takes_it_in_otherwise_is_caught",
        ("careful.ForgetsTheFollowing", "G9", "what waits behind a dead letter is forgotten"),
        ("careful.EarlyRetry", "G2", "a dead letter is settled before its event is folded"),
    ),
    _killed_by(
        "outbox/test_careful.py::test_who_does_not_ask_where_the_letter_stands_is_caught",
        (
            "careful.Sleepwalker",
            "G3",
            "who began an attempt and slept delivers again what another has delivered",
        ),
    ),
    _killed_by(
        "outbox/test_careful.py::test_without_notes_an_event_that_kills_is_never_found",
        ("attempts that are not noted", "G9", "an event that kills the process is tried for ever"),
    ),
    _killed_by(
        "orders_read/test_parked.py::test_who_delivers_only_the_dead_letter_itself_is_caught",
        ("careful.ForgetsTheFollowing", "G9", "the same, over a history of the whole shop"),
    ),
    _killed_by(
        "outbox/test_retry.py::test_who_forgets_what_waits_behind_a_skipped_event_is_caught",
        ("careful.SkipsTheRest", "G9", "skipping one event skips what waits behind it"),
    ),
]

WORKERS = [
    _killed_by(
        "outbox/test_bell.py::test_a_bell_that_is_waited_for_delays_the_command",
        ("bells.WaitingBell", "G4", "a command waits for Redis"),
    ),
    _killed_by(
        "outbox/test_bell.py::test_a_bell_that_tries_each_time_is_caught",
        ("bells.ImpatientBell", "G4", "Redis is tried by each command, however often it failed"),
    ),
    _killed_by(
        "outbox/test_bell.py::test_a_bell_that_does_not_notice_a_fork_is_caught",
        ("bells.ForkBlindBell", "G4", "a forked child has no thread that rings"),
    ),
    _killed_by(
        "outbox/test_bell.py::test_a_bell_that_queues_a_job_each_time_is_caught",
        ("bells.OneJobABell", "ops", "a thousand commits queue a thousand jobs"),
    ),
    _killed_by(
        "outbox/test_pauses.py::test_a_delivery_that_asks_nobody_whether_it_is_paused_is_caught",
        ("pauses.HEEDLESS_LOCK", "ops", "a paused subscriber is fed"),
    ),
    _killed_by(
        "outbox/test_pauses.py::test_a_pause_that_leaves_a_round_at_work_is_caught",
        ("pauses.pause_at_once", "ops", "a pause is there while a round is at work still"),
    ),
    _killed_by(
        "outbox/test_stopping.py::test_a_process_that_trusts_its_threads_to_end_is_caught",
        ("stopping.TrustingStopping", "ops", "a worker ends when all its threads like to"),
    ),
    _killed_by(
        "outbox/test_stopping.py::test_an_end_that_cancels_statements_blames_the_event",
        ("stopping.cancel_statements", "G9", "an end cancels statements: the event is blamed for it"),
    ),
    _killed_by(
        "outbox/test_heartbeats.py::test_a_heart_that_writes_each_time_is_found_out",
        ("heartbeats.RestlessHeartbeat", "ops", "a sign of life is written whenever somebody asks"),
    ),
]

PUBLISHERS = [
    _killed_by(
        "outbox/publishers/test_mutants.py::test_the_mutant_dies",
        ("publishers.the_checkpoint_moves_before_the_effect", "G1", "the checkpoint moves before the effect"),
        ("publishers.no_lock_is_taken", "G2", "two workers serve one partition"),
        ("publishers.the_partition_depends_on_the_process", "G2", "an aggregate changes its partition"),
        ("publishers.attempts_are_not_marked", "G9", "an event that kills the process is tried for ever"),
        ("publishers.marks_do_not_wait_for_the_disk", "G9", "a mark may be lost with the server"),
        ("publishers.a_refused_event_is_stepped_over", "G9", "a refused event is stepped over"),
        ("publishers.later_events_do_not_wait_for_a_parked_one", "G2", "later events pass by a parked one"),
        ("publishers.what_waited_is_forgotten", "G1", "what waits behind a dead letter is forgotten"),
        ("publishers.the_breaker_never_opens", "G9", "an endpoint that is away parks event after event"),
        ("publishers.every_failure_is_the_endpoints", "G9", "one bad event stops the whole endpoint"),
        ("publishers.everybody_may_try", "ops", "every worker tries an endpoint that is away"),
        ("publishers.the_name_is_checked_and_not_the_address", "ops", "a name may change its address"),
        ("publishers.an_address_is_believed_as_it_is_written", "ops", "an inner address in other clothes"),
        ("publishers.redirects_are_followed", "ops", "an endpoint leads to an inner address"),
        ("publishers.a_repetition_is_not_signed", "ops", "only the first attempt is signed"),
        ("publishers.only_the_new_secret_signs", "ops", "receivers of the old secret refuse at once"),
        ("publishers.gone_is_a_refusal_like_any_other", "ops", "410 does not disable an endpoint"),
        ("publishers.a_pause_is_not_respected", "ops", "a paused publisher goes on"),
        ("publishers.whoever_trickles_is_waited_for", "ops", "a slow answer outlives the time-out"),
    ),
    _killed_by(
        "outbox/publishers/test_pruned_log.py::test_one_that_is_not_asked_about_is_caught",
        ("an endpoint that begins in a pruned log", "G1", "an endpoint misses what was pruned"),
    ),
]

OPERATIONS = [
    _killed_by(
        "outbox/test_retention.py::test_a_mutant_that_lets_it_go_is_caught",
        ("retention.LIVE_ONLY", "G1", "events go that a kept generation needs"),
        ("retention.FASTEST_PARTITION", "G1", "events go that a publisher's slow partition needs"),
        ("retention.NO_DEAD_LETTERS", "G1", "events go that wait behind a dead letter"),
        ("retention.NO_HEAD", "G2", "the partition of the head goes, and positions begin again"),
    ),
    _killed_by(
        "outbox/test_lag.py::test_a_lag_that_lies_is_found_out",
        ("lags.FORGETS_UNRELAYED", "ops", "lag without what is not relayed"),
        ("lags.FORGETS_THE_AGE_OF_UNRELAYED", "ops", "age without what is not relayed"),
        ("lags.CALLS_CATCHING_UP_STALLED", "ops", "who catches up is called stalled"),
        ("lags.CALLS_REST_STALLED", "ops", "who has nothing to do is called stalled"),
        ("lags.BELIEVES_THE_FASTEST_PARTITION", "ops", "a publisher stands where its fastest partition does"),
        ("lags.COUNTS_SETTLED_LETTERS", "ops", "settled dead letters are counted"),
        ("lags.MIXES_GENERATIONS", "ops", "dead letters of other generations are counted"),
        ("lags.TAKES_PUBLISHERS_FOR_WORKERS", "ops", "run_publishers is taken for a worker that folds"),
        ("lags.BELIEVES_THE_DEAD", "ops", "a dead worker counts"),
    ),
    _killed_by(
        "outbox/test_alarms.py::test_an_alarm_that_rings_otherwise_is_found_out",
        ("alarms.RINGS_AT_EACH_LOOK", "ops", "an alarm rings at each look"),
        ("alarms.NEVER_ENDS", "ops", "nobody is told that it is over"),
        ("alarms.ENDS_BY_SUBJECT", "ops", "one trouble of a subscriber hides the end of another"),
    ),
    _killed_by(
        "outbox/test_alarms.py::test_an_alarm_that_swings_along_is_found_out",
        ("an alarm that swings along", "ops", "a trouble that comes and goes rings each time"),
    ),
    _killed_by(
        "outbox/test_alarms.py::test_workers_that_look_together_are_found_out",
        ("alarms.NO_LOCK", "ops", "every worker rings"),
    ),
    _killed_by(
        "outbox/test_alarms.py::test_a_hook_within_the_worker_is_found_out",
        ("alarms.HookInTheWorker", "ops", "a hook that hangs stops the worker"),
    ),
    _killed_by(
        "outbox/test_alarms.py::test_calls_that_pile_up_are_found_out",
        ("alarms.ForgetfulHookCaller", "ops", "calls of a hook that hangs pile up"),
    ),
    _killed_by(
        "outbox/doctor/test_horizon.py::test_a_doctor_who_blames_others_is_found_out",
        ("doctors.SEES_THIS_DATABASE_ONLY", "ops", "a write in another database is overlooked"),
        ("doctors.BLAMES_EVERY_SNAPSHOT", "ops", "a reader of another database is blamed"),
        ("doctors.BLAMES_EVERY_TRANSACTION", "ops", "a transaction that holds nothing is blamed"),
        ("doctors.SEES_WRITES_ONLY", "ops", "an old snapshot is overlooked"),
    ),
    _killed_by(
        "outbox/doctor/test_locks.py::test_a_doctor_who_blames_the_wrong_one_is_found_out",
        ("doctors.BLAMES_THE_WAITING", "ops", "who waits is blamed"),
        ("doctors.TAKES_NOBODY_FOR_A_WORKER", "ops", "that a worker waits is not told"),
    ),
]

WRITING = [
    _killed_by(
        "orders_write/test_mutants.py::test_the_mutant_dies",
        ("commands.stock_is_read_without_a_lock", "G7", "stock is read, checked, written: oversold"),
        ("commands.a_lock_is_asked_for_and_never_taken", "G7", "a select_for_update that nobody evaluates"),
        ("commands.stock_is_locked_and_read_at_once", "G7", "a price from before the lock"),
        ("commands.locks_are_taken_in_any_order", "G7", "unsorted locks: two orders wait for each other"),
        ("commands.messages_go_out_before_the_locks", "G2", "a message is older than what its command saw"),
        ("commands.a_key_is_looked_up_but_not_claimed", "G8", "check, then insert: a key has two effects"),
        ("commands.the_answer_is_not_stored", "G8", "a repeated key has no answer"),
        ("commands.another_body_under_the_same_key_is_not_noticed", "G8", "another request, the old answer"),
        ("commands.a_command_does_not_wait_for_the_disk", "G1", "answered with synchronous_commit off"),
        ("commands.the_trigger_sleeps", "G1", "SQL changes an order without an event"),
        ("commands.orders_can_be_deleted", "G1", "SQL deletes what happened"),
        ("commands.a_lost_race_is_not_repeated", "G7", "a lost race for a new key is the caller's problem"),
        ("commands.the_owner_is_not_asked", "G10", "a customer acts on another one's order"),
        ("commands.credit_is_not_freed", "G7", "paid orders hold credit for ever"),
        ("commands.a_refused_command_keeps_its_stock", "G7", "a refused line reserves stock"),
    ),
    _killed_by(
        "orders_write/test_sweeping.py::test_a_sweep_that_deletes_fresh_keys_is_caught",
        ("a sweep that deletes fresh keys", "G8", "a key is forgotten while callers still repeat it"),
    ),
    _killed_by(
        "orders_write/test_erasure.py::test_a_read_model_that_does_not_forget_is_found",
        ("folds that do not forget", "ops", "an erased person's name stays in a read model"),
    ),
    _killed_by(
        "orders_write/test_erasure.py::test_an_erasure_that_forgets_the_answers_is_found",
        ("an erasure that forgets the answers", "ops", "an erased person's name stays in stored answers"),
    ),
]

READING = [
    _killed_by(
        "orders_read/test_mutants.py::test_the_mutant_dies",
        ("reading.the_newest_read_model_counts", "G5", "one of two read models has come so far"),
        ("reading.what_is_in_the_log_counts_as_shown", "G5", "relayed is taken for delivered"),
        ("reading.who_has_waited_long_enough_is_answered", "G5", "older data after the wait, with no word"),
        ("reading.a_token_of_any_history_is_believed", "G5", "a token from before a restore is believed"),
        ("reading.a_future_token_is_accepted", "G5", "a token of what never happened is waited for"),
        ("reading.everybody_may_wait", "ops", "those who wait take every thread of a process"),
        ("reading.a_pause_is_waited_for", "ops", "readers wait for a read model that is paused"),
        (
            "reading.what_is_parked_counts_as_shown",
            "G5",
            "a checkpoint that has passed a parked event is believed",
        ),
        ("reading.only_the_last_message_counts", "G5", "of a command's aggregates one may be parked unseen"),
        ("reading.only_the_log_has_a_lag", "ops", "with a dead relay every read model looks new"),
        (
            "reading.the_position_of_another_read_model_is_signed",
            "G5",
            "a read's token is another read model's",
        ),
        ("reading.the_checkpoint_is_read_after_the_answer", "G5", "a token promises more than was shown"),
        (
            "reading.the_checkpoint_is_read_before_the_answer",
            "G5",
            "the next read may be older than the last",
        ),
        (
            "reading.an_older_answer_takes_the_reader_back",
            "G5",
            "a lenient reader loses their own write for good",
        ),
        ("reading.an_order_is_shown_to_whoever_knows_its_number", "G10", "a number opens any order"),
        ("reading.a_list_shows_everybodys_orders", "G10", "lists and search know no owner"),
    ),
    _killed_by(
        "orders_read/test_rebuild.py::test_who_swaps_otherwise_is_caught",
        ("rebuilds.swap_without_taking_in", "G6", "the new one is shown without what came meanwhile"),
        ("rebuilds.swap_and_start_at_the_head", "G6", "the new one goes on from where the old one stands"),
    ),
    _killed_by(
        "orders_read/test_verify.py::test_who_compares_at_two_positions_is_caught",
        ("verifications.HastyShadow", "ops", "what arrives while rows are compared is taken for a drift"),
    ),
]

VIEWS_AND_VERSIONS = [
    _killed_by(
        "orders_read/test_refreshing.py::test_who_refreshes_otherwise_is_caught",
        ("refreshes.readers_wait", "ops", "the shop at a glance cannot be read while it is refreshed"),
        ("refreshes.delivery_waits", "G2", "a refresh in progress delays every event"),
        ("refreshes.several_at_once", "ops", "a slow refresh is begun again beside itself"),
        ("refreshes.without_a_pause", "ops", "a slow refresh fills the day"),
        ("refreshes.a_failure_costs_nothing", "ops", "a refresh that fails is begun again at once"),
    ),
    _killed_by(
        "outbox/test_versions.py::test_who_compares_otherwise_is_caught",
        ("versions.by_version_alone", "ops", "a mended fold that nobody applied is not told"),
        ("versions.by_text_alone", "ops", "a version that was raised without another text is not told"),
    ),
    _killed_by(
        "outbox/test_upcasters.py::test_who_forgets_it_is_caught",
        ("upcasters.folds_forget", "G3", "folds read old events as they were written"),
        ("upcasters.history_forgets", "ops", "Python reads old events as they were written"),
        ("upcasters.publishers_forget", "G3", "webhooks tell old events as they were written"),
        ("upcasters.replays_forget", "ops", "a webhook that is sent once more has another form"),
        ("upcasters.one_step_is_enough", "G3", "an event two versions old comes one version further"),
    ),
    _killed_by(
        "orders_read/test_keeping.py::test_who_verifies_without_a_pause_is_caught",
        ("verification without a pause", "ops", "the continuous verification takes a core"),
    ),
    _killed_by(
        "orders_read/test_explaining.py::test_who_looks_at_the_values_alone_is_caught",
        ("an explanation by values alone", "ops", "what was changed and changed back is not explained"),
    ),
]

MIRRORS = [
    _killed_by(
        "orders_read/stores/test_fallback.py::test_who_believes_a_store_that_has_just_come_back_is_caught",
        (
            "a store is believed when it comes back",
            "G5",
            "judged by PostgreSQL, answered by a store that is behind",
        ),
    ),
    _killed_by(
        "orders_read/stores/test_mutants.py::test_the_mutant_dies",
        ("mirrors.versions_are_not_compared", "G3", "a late writer puts an older document over a newer one"),
        (
            "mirrors.equal_versions_are_written",
            "G3",
            "a duplicate writes again what a repair may have changed",
        ),
        ("mirrors.a_delete_leaves_nothing", "G3", "a late writer brings back what was deleted"),
        (
            "mirrors.a_mirror_is_as_new_as_the_log",
            "G5",
            "the mirror passes events before its read model has them",
        ),
        ("mirrors.a_repair_tells_nobody", "ops", "a repaired row never reaches the mirror"),
        (
            "mirrors.a_repaired_row_must_be_newer",
            "ops",
            "a row repaired twice at one position stays as it was",
        ),
        ("mirrors.what_is_folded_late_tells_nobody", "G9", "a dead letter's event never reaches the mirror"),
        ("mirrors.a_build_is_shown_when_it_is_copied", "G6", "the new generation is older than the old one"),
        (
            "mirrors.what_the_store_refuses_is_forgotten",
            "G1",
            "the checkpoint passes what a cut connection lost",
        ),
        (
            "mirrors.a_server_that_was_restarted_is_believed",
            "G5",
            "a server that lost its last seconds is read",
        ),
        ("mirrors.documents_of_any_history_are_read", "G5", "after a restore, the store's future is read"),
        ("mirrors.the_owner_is_not_asked", "G10", "a number opens any order in the store"),
        ("mirrors.every_reader_tries_the_store", "G4", "a silent store slows every read"),
    ),
]

TORTURES = [
    _tortured(
        synchronous_commit_off="G1",
        check_then_insert_idempotency="G8",
        read_check_write_stock="G7",
        two_relays_unlocked="G2",
        two_relays_skipping_locked="G2",
        effect_and_checkpoint_in_two_transactions="G3",
    )
]

TABLE: tuple[Mutant, ...] = tuple(
    chain.from_iterable(
        chain(
            RELAYS,
            DELIVERIES,
            DEAD_LETTERS,
            WORKERS,
            PUBLISHERS,
            OPERATIONS,
            WRITING,
            READING,
            VIEWS_AND_VERSIONS,
            MIRRORS,
            TORTURES,
        )
    )
)

# What only mutants are made of, and what only slows the product down.
PARTS = {
    "relays.LastRelayedBound", "relays.HeedlessBound", "relays.HastyBound", "relays.PatientBound", "relays.NoBound",
    "relays.IdentityPositions",
    "relays.SequenceRelay", "relays.UnlockedRelay", "relays.without_position_key", "publishers.PARTITION",
    "pauses.HEEDLESS_STATE",    "verifications.one_batch_of_fifty",
}  # fmt: skip
