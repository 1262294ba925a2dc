"""Only what everybody has passed leaves the log, nobody waits for it, and it can come back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO

import psycopg
import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from outbox import history, partitions, retention
from outbox.delivery import Delivery
from outbox.exceptions import ForeignRows, LogIsPruned, LogIsRead, RetentionAtWork
from outbox.partitions import Partition
from tests.mutants import retention as mutants
from tests.outbox.conftest import Subscribe
from tests.outbox.guarantees import Broken, expect
from tests.outbox.world import World, seen

LATER = datetime.now(UTC) + timedelta(days=1)
LETTER = """
INSERT INTO dead_letters (subscriber, generation, position, event_type, schema_version, aggregate_type, aggregate_id,
                          aggregate_version, state, attempts, error_type, error_message, fingerprint, next_attempt_at)
VALUES ('seen', 1, $1, 'ParcelMoved', 1, 'parcel', 1, 1, $2, 1, 'E', 'e', 'f', CASE WHEN $2 = 'waiting' THEN now() END)
RETURNING 1
"""
CHECKPOINT = "INSERT INTO checkpoints VALUES ($1, 1, $2, $3) RETURNING 1"
PUBLISHER = """
INSERT INTO publishers (subscriber, kind, partitions, from_position) VALUES ('hook', 'webhook', $1, $2) RETURNING 1
"""
MORE_PERSONS = "INSERT INTO event_personal SELECT event_id, 7, '{}' FROM event_log"


@pytest.fixture
def log(small_partitions: World, subscribe: Subscribe) -> World:
    """Give a log of 35 events in four partitions, which the projection `seen` has passed."""
    subscribe(seen())
    fill(small_partitions, 35)
    return small_partitions


def fill(world: World, events: int) -> None:
    """Add events of one parcel to the log, and have them delivered."""
    start = len(world.positions())
    for version in range(start + 1, start + events + 1):
        world.commit((1, version))
    Delivery(world.worker()).drain()


def due(world: World, before: datetime = LATER) -> list[str]:
    return [one.name for one in retention.plan(world.watcher, before).partitions]


def names(found: list[Partition]) -> list[str]:
    return [one.name for one in found]


def attached(world: World) -> list[str]:
    return names(partitions.attached(psycopg.RawCursor(world.watcher)))


def detached(world: World) -> list[str]:
    return names(partitions.detached(psycopg.RawCursor(world.watcher)))


def prune(world: World, *names: str, wait_seconds: float = 5) -> None:
    for partition in partitions.attached(psycopg.RawCursor(world.watcher)):
        if partition.name in names:
            retention.detach(world.watcher, partition, wait_seconds)


def run(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


# What may go.


def keeps_what_holds_the_head(world: World) -> None:
    """Check that the partition of the head stays, though it is full and passed: positions go on from there."""
    fill(world, 5)
    expect(due(world), ["event_log_p1", "event_log_p11", "event_log_p21"])


def keeps_what_a_kept_generation_needs(world: World) -> None:
    """Check that a generation which one may go back to, and which stands further behind, holds its events."""
    world.watcher.execute(
        "INSERT INTO projection_generations SELECT projection, 2, version, 'kept', statements, statements_hash"
        " FROM projection_generations"
    )
    world.ask("INSERT INTO checkpoints VALUES ('seen', 2, 0, 15) RETURNING 1")
    expect(due(world), ["event_log_p1"])


def keeps_what_a_slow_publisher_needs(world: World) -> None:
    """Check that a publisher is as far as the slowest of its partitions, one without a checkpoint included."""
    world.ask(PUBLISHER, 3, 12)
    world.ask(CHECKPOINT, "hook 0/3", 12, 35)
    world.ask(CHECKPOINT, "hook 1/3", 12, 29)
    expect(due(world), ["event_log_p1"])
    world.ask(CHECKPOINT, "hook 2/3", 12, 20)
    expect(due(world), ["event_log_p1", "event_log_p11"])


def keeps_what_a_dead_letter_needs(world: World) -> None:
    """Check that an event which waits for another attempt stays, with all that waits behind it."""
    world.ask(LETTER, 11, "parked")
    expect(due(world), ["event_log_p1"])
    world.watcher.execute("UPDATE dead_letters SET state = 'delivered', settled_at = now()")
    world.ask(LETTER, 3, "waiting")
    expect(due(world), [])


CHECKS = [
    keeps_what_holds_the_head,
    keeps_what_a_kept_generation_needs,
    keeps_what_a_slow_publisher_needs,
    keeps_what_a_dead_letter_needs,
]
MUTANTS = [
    (keeps_what_holds_the_head, "HEAD", mutants.NO_HEAD),
    (keeps_what_a_kept_generation_needs, "STANDINGS", mutants.LIVE_ONLY),
    (keeps_what_a_slow_publisher_needs, "STANDINGS", mutants.FASTEST_PARTITION),
    (keeps_what_a_dead_letter_needs, "STANDINGS", mutants.NO_DEAD_LETTERS),
]
Check = Callable[[World], None]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_what_is_needed_stays(log: World, check: Check) -> None:
    check(log)


@pytest.mark.parametrize(
    ("check", "name", "statement"), MUTANTS, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_mutant_that_lets_it_go_is_caught(
    log: World, monkeypatch: pytest.MonkeyPatch, check: Check, name: str, statement: str
) -> None:
    monkeypatch.setattr(retention, name, statement)
    with pytest.raises(Broken):
        check(log)


def test_a_subscriber_that_never_began_holds_everything(log: World, subscribe: Subscribe) -> None:
    subscribe(seen("late"), state="building")
    found = retention.plan(log.watcher, LATER)
    assert found.partitions == ()
    assert found.held is not None
    assert found.held.name == "event_log_p1"
    assert found.holders == (retention.Standing("late generation 1", 0),)


def test_a_publisher_that_is_switched_off_or_that_starts_later_holds_nothing(log: World) -> None:
    log.ask(PUBLISHER, 1, 35)
    log.watcher.execute(
        "INSERT INTO publishers (subscriber, kind, is_enabled) VALUES ('off', 'webhook', false)"
    )
    log.ask(CHECKPOINT, "hook 0/1 of another", 0, 1)
    assert len(due(log)) == 3


def test_age_is_when_the_newest_event_was_recorded(log: World) -> None:
    ((newest,),) = log.ask("SELECT max(recorded_at) FROM event_log_p11")
    assert due(log, newest) == ["event_log_p1"]
    assert due(log, newest + timedelta(microseconds=1)) == ["event_log_p1", "event_log_p11"]


# How it goes, and comes back.


def test_a_detached_partition_keeps_its_events_and_can_be_attached_again(log: World) -> None:
    before = log.ask("SELECT * FROM event_log ORDER BY position")
    indexes = "SELECT count(*) FROM pg_index WHERE indrelid = 'event_log_p1'::regclass"
    ((had,),) = log.ask(indexes)

    prune(log, "event_log_p1")
    assert (log.positions()[0], detached(log)) == (11, ["event_log_p1"])
    (partition,) = partitions.detached(psycopg.RawCursor(log.watcher))
    retention.attach(log.watcher, partition, 5)

    assert log.ask("SELECT * FROM event_log ORDER BY position") == before
    assert (detached(log), log.ask(indexes)) == ([], [(had,)])


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize(
    "attempt",
    ["UPDATE event_log_p1 SET payload = '{}'", "DELETE FROM event_log_p1", "TRUNCATE event_log_p1"],
)
def test_a_detached_partition_is_append_only_too(log: World, attempt: str, times: int) -> None:
    prune(log, "event_log_p1")
    for _ in range(1, times):
        (partition,) = partitions.detached(psycopg.RawCursor(log.watcher))
        retention.attach(log.watcher, partition, 5)
        prune(log, "event_log_p1")
    with pytest.raises(psycopg.errors.RestrictViolation):
        log.watcher.execute(attempt)


def test_without_the_guard_a_detached_partition_could_be_changed(
    log: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "GUARD", "SELECT {name} LIMIT 0".replace("{name}", "1"))
    prune(log, "event_log_p1")
    log.watcher.execute("DELETE FROM event_log_p1")
    assert log.ask("SELECT count(*) FROM event_log_p1") == [(0,)]


def test_attaching_scans_nothing_and_waits_for_no_reader(log: World) -> None:
    prune(log, "event_log_p1")
    reader, notices = log.writer(), []
    reader.execute("SELECT * FROM event_log")
    (partition,) = partitions.detached(psycopg.RawCursor(log.watcher))
    log.watcher.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    log.watcher.execute("SET client_min_messages = debug1")

    retention.attach(log.watcher, partition, 1)

    log.watcher.execute("RESET client_min_messages")
    reader.rollback()
    assert any("implied by existing constraints" in str(notice) for notice in notices)
    assert len(log.positions()) == 35


def test_detaching_waits_for_a_reader_and_stops_nobody(log: World) -> None:
    reader = log.writer()
    reader.execute("SELECT * FROM event_log")
    with pytest.raises(LogIsRead):
        prune(log, "event_log_p1", wait_seconds=0.2)

    fill(log, 10)  # relay and delivery go on; new readers too, without the half detached partition
    assert log.positions() == list(range(11, 46))
    assert len(reader.execute("SELECT * FROM event_log").fetchall()) >= 35
    reader.rollback()


def test_an_interrupted_detaching_is_finished_by_the_next_run(log: World) -> None:
    reader = log.writer()
    reader.execute("SELECT * FROM event_log")
    with pytest.raises(LogIsRead):
        prune(log, "event_log_p1", wait_seconds=0.2)
    reader.rollback()
    assert retention.pruned_up_to(log.watcher) == 10
    assert "half already" in run("prune_events", "--dry-run")

    out = run("prune_events", "--before", LATER.isoformat())

    assert out.count("detached\n") == 3
    assert detached(log) == ["event_log_p1", "event_log_p11", "event_log_p21"]


NO_CHECK = "ALTER TABLE event_log_p1 DROP CONSTRAINT {check}"
BELIEVED_CHECK = NO_CHECK + ", ADD CHECK (position >= 1 AND position < 11) NOT VALID"
A_ROW_LESS = "DELETE FROM event_log_p1 WHERE position = 5"


def test_it_is_finished_also_when_nothing_is_to_be_pruned(log: World) -> None:
    reader = log.writer()
    reader.execute("SELECT * FROM event_log")
    with pytest.raises(LogIsRead):
        prune(log, "event_log_p1", wait_seconds=0.2)
    reader.rollback()
    assert "p1: positions 1 to 10: detached" in run("prune_events")
    assert detached(log) == ["event_log_p1"]


@pytest.mark.parametrize("spoil", [NO_CHECK, BELIEVED_CHECK, A_ROW_LESS])
def test_a_table_that_may_hold_other_rows_is_not_attached(log: World, spoil: str) -> None:
    prune(log, "event_log_p1")
    ((check,),) = log.ask(
        "SELECT conname FROM pg_constraint"
        " WHERE conrelid = 'event_log_p1'::regclass AND pg_get_constraintdef(oid) LIKE 'CHECK%<%'"
    )
    log.watcher.execute("SET session_replication_role = replica")
    log.watcher.execute(spoil.replace("{check}", check))
    log.watcher.execute("RESET session_replication_role")

    (partition,) = partitions.detached(psycopg.RawCursor(log.watcher))
    with pytest.raises(ForeignRows):
        retention.attach(log.watcher, partition, 5)


def test_a_worker_with_its_plans_goes_on_across_pruning_and_attaching(log: World) -> None:
    delivery = Delivery(log.worker())
    for start in (36, 44, 52):
        for version in range(start, start + 8):
            log.commit((1, version))
            delivery.drain()
        prune(log, *due(log))
        assert log.checkpoint() == start + 7
    run("attach_events")
    log.commit((1, 60))
    delivery.drain()
    assert log.positions() == list(range(1, 61))
    assert log.versions() == {1: list(range(1, 61))}


# What a pruned log means to its readers.


def test_a_whole_log_is_told_from_a_pruned_one(log: World) -> None:
    retention.require_whole_log(log.watcher)
    prune(log, "event_log_p1", "event_log_p11")
    with pytest.raises(LogIsPruned) as refused:
        retention.require_whole_log(log.watcher)
    assert refused.value.details == {"pruned_up_to": 20}
    retention.require_log_after(log.watcher, 20)
    with pytest.raises(LogIsPruned):
        retention.require_log_after(log.watcher, 19)


def test_a_gap_is_a_pruned_log_too(log: World) -> None:
    prune(log, "event_log_p1", "event_log_p11")
    (first, _) = partitions.detached(psycopg.RawCursor(log.watcher))
    retention.attach(log.watcher, first, 5)
    assert retention.pruned_up_to(log.watcher) == 20


def test_an_empty_log_is_whole(small_partitions: World) -> None:
    retention.require_whole_log(small_partitions.watcher)


def test_nothing_is_detached_while_a_reader_of_the_whole_log_begins(log: World) -> None:
    rebuild = log.writer()
    retention.require_whole_log(rebuild)
    with pytest.raises(RetentionAtWork), retention.alone(log.watcher):
        pass
    rebuild.rollback()
    with retention.alone(log.watcher):
        pass


def test_a_pruned_message_has_a_position_that_everybody_has_reached(log: World) -> None:
    ((message_id,),) = log.ask("SELECT message_id FROM event_log WHERE position = 5")
    prune(log, "event_log_p1", "event_log_p11")
    assert history.position_of(message_id, after=4) == 20
    assert history.position_of(message_id) == 20


def test_a_message_that_waits_in_the_outbox_of_a_pruned_log_has_none(log: World) -> None:
    prune(log, "event_log_p1")
    log.commit((1, 36))
    ((message_id,),) = log.ask("SELECT message_id FROM outbox")
    assert history.position_of(message_id, after=35) is None
    assert history.position_of(message_id) is None


# The commands.


def test_the_log_is_kept_for_ever_unless_somebody_says_otherwise(log: World) -> None:
    assert "kept for ever" in run("prune_events")
    assert len(attached(log)) == 5


def test_pruning_says_first_what_it_means_then_what_it_did_and_who_did_it(log: World) -> None:
    lines = run("prune_events", "--keep", "0").splitlines()
    assert "rebuild and verify refuse" in lines[0]
    assert lines[1:] == [
        f"event_log_p{first}: positions {first} to {first + 9}: detached" for first in (1, 11, 21)
    ]
    noted = log.ask("SELECT action, subject, actor LIKE 'shell:%' FROM operator_actions ORDER BY action_id")
    assert noted == [("events detached", f"event_log_p{first}", True) for first in (1, 11, 21)]
    assert "is full and passed" in run("prune_events", "--keep", "0")


def test_the_setting_is_the_limit_when_no_other_is_given(log: World, settings: Settings) -> None:
    settings.OUTBOX = settings.OUTBOX | {"KEEP_EVENTS_DAYS": 1}
    assert "Nothing more was recorded before" in run("prune_events")
    settings.OUTBOX = settings.OUTBOX | {"KEEP_EVENTS_DAYS": 0.0}
    assert "detached" in run("prune_events")


def test_a_dry_run_changes_nothing(log: World) -> None:
    out = run("prune_events", "--keep", "0", "--dry-run", "--drop")
    assert (out.count("would be detached"), out.count("would be dropped")) == (3, 3)
    assert (len(attached(log)), log.ask("SELECT count(*) FROM operator_actions")) == (5, [(0,)])


def test_who_holds_events_back_is_named(log: World) -> None:
    log.ask(LETTER, 15, "parked")
    with pytest.raises(CommandError, match=r"p11: .* held back by dead letter \d+ of seen .*14") as error:
        run("prune_events", "--keep", "0")
    assert error.value.returncode == 1
    assert detached(log) == ["event_log_p1"]


def test_a_log_that_is_read_for_long_is_told_from_one_that_is_held_back(log: World) -> None:
    reader = log.writer()
    reader.execute("SELECT * FROM event_log")
    with pytest.raises(CommandError, match="event_log_p1: The log is being read") as error:
        run("prune_events", "--keep", "0", "--wait", "0.2")
    reader.rollback()
    assert error.value.returncode == 2


def test_a_second_run_at_the_same_time_is_told_to_wait(log: World) -> None:
    with retention.alone(log.watcher), pytest.raises(CommandError, match="pruned by somebody else") as error:
        run("prune_events", "--keep", "0")
    assert error.value.returncode == 2
    assert detached(log) == []


def test_a_table_with_other_columns_is_refused(log: World) -> None:
    run("prune_events", "--keep", "0")
    log.watcher.execute("ALTER TABLE event_log_p1 ADD COLUMN remark text")
    with pytest.raises(CommandError, match="remark"):
        run("attach_events")


def test_dropping_asks_for_a_yes_and_forgets_persons(log: World) -> None:
    log.watcher.execute(MORE_PERSONS)
    with pytest.raises(CommandError, match="--yes"):
        run("prune_events", "--keep", "0", "--drop")
    out = run("prune_events", "--keep", "0", "--drop", "--yes")
    assert out.count(": dropped") == 3
    assert detached(log) == []
    assert log.ask("SELECT count(*) FROM event_personal") == [(5,)]
    fill(log, 1)
    assert log.positions() == list(range(31, 37))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--keep", "-1"],
        ["--keep", "many"],
        ["--before", "yesterday"],
        ["--keep", "1", "--before", "2026-01-01"],
    ],
)
def test_a_limit_that_means_nothing_is_refused(log: World, arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        run("prune_events", *arguments)


def test_partitions_are_attached_by_name_or_all(log: World) -> None:
    run("prune_events", "--keep", "0")
    assert "Events up to position 30 are missing" in run("attach_events", "event_log_p11")
    assert "would be attached" in run("attach_events", "--dry-run")
    assert run("attach_events").splitlines()[-1] == "The log is whole."
    assert log.positions() == list(range(1, 36))
    with pytest.raises(CommandError, match="Not a detached partition"):
        run("attach_events", "event_log_p1")


def test_a_table_that_overlaps_the_log_is_refused(log: World) -> None:
    log.watcher.execute(
        "CREATE TABLE event_log_p1_2 (LIKE event_log INCLUDING ALL, CHECK (position >= 1 AND position < 11))"
    )
    log.watcher.execute("INSERT INTO event_log_p1_2 SELECT * FROM event_log WHERE position < 11")
    with pytest.raises(CommandError, match="overlap"):
        run("attach_events")
