"""The relay keeps order and loses nothing; each promise is a check that its mutants fail."""

from collections.abc import Callable

import pytest

from outbox.relay import Relay
from tests.mutants import relays as mutants
from tests.outbox import guarantees
from tests.outbox.guarantees import Broken, LogCarrier
from tests.outbox.world import World, put

CHECKS = [
    guarantees.late_commit,
    guarantees.backlog,
    guarantees.commit_within_the_relay,
    guarantees.rollback_gap,
    guarantees.key_first,
    guarantees.foreign_transaction,
    guarantees.open_refresh,
    guarantees.two_relays,
    guarantees.flat_scan,
    guarantees.flat_backlog,
]
MUTANTS = [
    (guarantees.late_commit, mutants.IdentityPoller),
    (guarantees.late_commit, mutants.LastRelayedBoundCarrier),
    (guarantees.late_commit, mutants.HeedlessBoundCarrier),
    (guarantees.commit_within_the_relay, mutants.TwoStatementCarrier),
    (guarantees.rollback_gap, mutants.IdentityPositionsCarrier),
    (guarantees.key_first, mutants.OldestTransactionPoller),
    (guarantees.foreign_transaction, mutants.OldestTransactionPoller),
    (guarantees.open_refresh, mutants.OldestTransactionPoller),
    (guarantees.two_relays, mutants.SequenceCarrier),
    (guarantees.backlog, mutants.HastyBoundCarrier),
    (guarantees.flat_scan, mutants.NoBoundCarrier),
    (guarantees.flat_backlog, mutants.PatientBoundCarrier),
]
Check = Callable[[World, guarantees.MakeCarrier], None]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_relay_keeps_its_promise(bare_world: World, check: Check) -> None:
    check(bare_world, LogCarrier)


@pytest.mark.parametrize(("check", "mutant"), MUTANTS, ids=lambda value: value.__name__)
def test_a_mutant_breaks_the_promise(bare_world: World, check: Check, mutant: guarantees.MakeCarrier) -> None:
    with pytest.raises(Broken):
        check(bare_world, mutant)
    bare_world.watcher.execute("DROP SEQUENCE IF EXISTS mutant_positions")


def test_either_the_lock_or_the_position_key_is_enough(bare_world: World) -> None:
    with mutants.without_position_key(bare_world):
        guarantees.two_relays(bare_world, LogCarrier)


def test_without_lock_and_position_key_positions_are_doubled(bare_world: World) -> None:
    with mutants.without_position_key(bare_world), pytest.raises(Broken):
        guarantees.two_relays(bare_world, mutants.UnlockedCarrier)


def test_a_message_is_moved_whole(bare_world: World) -> None:
    bare_world.commit((7, 1))
    (sent,) = bare_world.ask("SELECT * FROM outbox")
    Relay().run_once(bare_world.worker())
    assert bare_world.ask("SELECT * FROM event_log") == [(1, *sent)]
    assert bare_world.ask("SELECT * FROM outbox") == []


def test_a_batch_is_limited_and_the_next_run_goes_on(bare_world: World) -> None:
    relay, connection = Relay(batch_size=2), bare_world.worker()
    bare_world.commit((1, 1), (1, 2), (1, 3))
    assert [relay.run_once(connection) for _ in range(3)] == [2, 1, 0]
    assert bare_world.positions() == [1, 2, 3]


def test_a_relay_that_finds_another_at_work_says_so(bare_world: World) -> None:
    relay, connection, other = Relay(), bare_world.worker(), bare_world.writer()
    relay.run_once(connection)
    bare_world.commit((1, 1))
    other.execute("SELECT pg_advisory_xact_lock(%s, 0)", [guarantees.RELAY_LOCK])
    moved = relay.run(connection)
    other.rollback()
    assert (moved.messages, moved.is_mine, moved.is_complete) == (0, False, False)


def test_identities_are_not_cached_by_sessions(bare_world: World) -> None:
    query = "SELECT seqcache FROM pg_sequence WHERE seqrelid = 'outbox_message_id_seq'::regclass"
    assert bare_world.ask(query) == [(1,)]


def test_a_prepared_transaction_holds_the_bound_back(bare_world: World) -> None:
    if bare_world.ask("SHOW max_prepared_transactions") == [("0",)]:
        pytest.skip("this server prepares no transactions")
    carrier = LogCarrier(bare_world)
    writer = bare_world.writer()
    put(writer, (1, 1))
    writer.execute("PREPARE TRANSACTION 'late'")
    writer.rollback()
    for version in (1, 2, 3):
        bare_world.commit((2, version))
        carrier.carry()
    bare_world.watcher.execute("COMMIT PREPARED 'late'")
    carrier.carry()
    assert (1, 1) in carrier.got
