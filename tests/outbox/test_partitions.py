"""The log has room ahead, across any boundary, and gives nothing back."""

import psycopg
import pytest
from pytest_django import Settings

from outbox import partitions
from outbox import relay as relays
from outbox.relay import RELAY_LOCK, Relay
from tests.mutants import partitions as mutants
from tests.outbox.guarantees import Broken, expect
from tests.outbox.world import World, wait_until

NAMES = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'event_log'::regclass ORDER BY inhrelid"


def _names(world: World) -> list[str]:
    return [name for (name,) in world.ask(NAMES)]


def crosses_boundaries(world: World, relay: Relay) -> None:
    """Check that a backlog larger than several partitions is moved, and a whole partition stays ahead of the head."""
    connection = world.worker()
    world.commit(*((1, version) for version in range(1, 36)))
    while relay.run_once(connection):
        with psycopg.RawCursor(connection) as cursor:
            ahead = partitions.last_position(cursor) - max(world.positions())
        if ahead < 10:
            raise Broken(f"{ahead} positions of room")
    expect(world.positions(), list(range(1, 36)))


def test_partitions_are_made_ahead_and_across_boundaries(small_partitions: World) -> None:
    crosses_boundaries(small_partitions, Relay(batch_size=100))
    names = [f"event_log_p{first}" for first in (1, 11, 21, 31, 41)]
    assert _names(small_partitions) == names


def test_a_relay_that_makes_room_late_is_caught(small_partitions: World) -> None:
    with pytest.raises(Broken):
        crosses_boundaries(small_partitions, mutants.LateRelay(batch_size=100))


def test_two_relays_make_each_partition_once(small_partitions: World) -> None:
    one, other = Relay(batch_size=5), Relay(batch_size=5)
    first, second = small_partitions.worker(), small_partitions.worker()
    small_partitions.commit(*((1, version) for version in range(1, 31)))
    while one.run_once(first) + other.run_once(second):
        pass
    assert small_partitions.positions() == list(range(1, 31))


def test_a_relay_that_knows_too_little_room_moves_what_fits_and_learns(small_partitions: World) -> None:
    old, new, connection = Relay(), Relay(), small_partitions.worker()
    old.run_once(connection)
    small_partitions.commit(*((1, version) for version in range(1, 19)))
    while new.run_once(connection):
        pass
    small_partitions.commit(*((1, version) for version in range(19, 40)))
    while old.run_once(connection):
        pass
    assert small_partitions.positions() == list(range(1, 40))


def test_another_size_begins_behind_the_last_partition(small_partitions: World, settings: Settings) -> None:
    connection = small_partitions.worker()
    Relay().run_once(connection)
    settings.OUTBOX = settings.OUTBOX | {"PARTITION_SIZE": 25}
    Relay().run_once(connection)
    assert _names(small_partitions) == ["event_log_p1", "event_log_p11"]
    with psycopg.RawCursor(connection) as cursor:
        assert partitions.last_position(cursor) == 35


def test_a_name_that_is_taken_does_not_stop_the_log(small_partitions: World) -> None:
    small_partitions.watcher.execute("CREATE TABLE event_log_p21 (somebody text)")
    small_partitions.commit(*((1, version) for version in range(1, 36)))
    relay, connection = Relay(batch_size=5), small_partitions.worker()
    while relay.run_once(connection):
        pass
    small_partitions.watcher.execute("DROP TABLE event_log_p21")
    assert small_partitions.positions() == list(range(1, 36))
    assert _names(small_partitions)[:4] == [
        "event_log_p1",
        "event_log_p11",
        "event_log_p21_2",
        "event_log_p31",
    ]


def makes_room_while(world: World, relay: Relay, hold: str) -> None:
    """Check that a relay moves messages across a boundary, without waiting, while a session holds something."""
    connection, holder = world.worker(), world.writer()
    relay.run_once(connection)
    world.commit(*((1, version) for version in range(1, 6)))
    relay.run_once(connection)
    holder.execute(hold)
    connection.execute("SET statement_timeout = '1s'")
    try:
        world.commit(*((1, version) for version in range(6, 16)))
        while relay.run_once(connection):
            pass
    except psycopg.errors.QueryCanceled as error:
        raise Broken(f"it waited for {hold}") from error
    finally:
        holder.rollback()
    expect(world.positions(), list(range(1, 16)))


LONG_READER = "SELECT * FROM event_log"
OTHER_MAKER = "LOCK TABLE event_log IN SHARE UPDATE EXCLUSIVE MODE"


@pytest.mark.parametrize("hold", [LONG_READER, OTHER_MAKER])
def test_nobody_who_holds_the_log_stops_the_relay(small_partitions: World, hold: str) -> None:
    makes_room_while(small_partitions, Relay(batch_size=5), hold)


@pytest.mark.parametrize(
    ("mutant", "hold"), [(mutants.WaitingRelay, LONG_READER), (mutants.PatientRelay, OTHER_MAKER)]
)
def test_a_relay_that_waits_for_those_who_hold_the_log_is_caught(
    small_partitions: World, mutant: type[Relay], hold: str
) -> None:
    with pytest.raises(Broken):
        makes_room_while(small_partitions, mutant(batch_size=5), hold)


def test_room_that_could_not_be_made_is_made_later(
    small_partitions: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relays, "ROOM_PAUSE_SECONDS", 0.0)
    makes_room_while(small_partitions, relay := Relay(batch_size=5), OTHER_MAKER)
    relay.run_once(small_partitions.worker())
    assert _names(small_partitions) == ["event_log_p1", "event_log_p11", "event_log_p21"]


def test_two_makers_that_meet_make_one_partition(small_partitions: World) -> None:
    one, other = small_partitions.writer(), small_partitions.worker()
    with psycopg.RawCursor(one) as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock($1::int, 0)", [RELAY_LOCK])
        partitions.make_next(cursor, 10)
    relay = Relay()
    relay.run_once(other)  # finds the first at work, and no room yet
    one.commit()
    small_partitions.commit((1, 1))
    assert wait_until(lambda: relay.run_once(other) == 1)
    assert _names(small_partitions) == ["event_log_p1", "event_log_p11"]


def test_an_idle_worker_makes_the_room_that_others_used(small_partitions: World) -> None:
    idle, connection = Relay(), small_partitions.worker()
    idle.run_once(connection)
    small_partitions.watcher.execute(
        "INSERT INTO event_log SELECT 9, 9, gen_random_uuid(), 'Moved', 1, 'parcel', 1, 1, '{}', '{}', now(), now()"
    )
    assert idle.run_once(connection) == 0
    assert _names(small_partitions) == ["event_log_p1", "event_log_p11"]


@pytest.mark.parametrize(
    "attempt",
    [
        "UPDATE event_log SET payload = '{}'",
        "DELETE FROM event_log",
        "TRUNCATE event_log",
        "UPDATE event_log_p1 SET position = 2",
        "DELETE FROM event_log_p1",
        "TRUNCATE event_log_p1",
    ],
)
def test_the_log_is_append_only(bare_world: World, attempt: str) -> None:
    bare_world.commit((1, 1))
    Relay().run_once(bare_world.worker())
    with pytest.raises(psycopg.errors.RestrictViolation):
        bare_world.watcher.execute(attempt)
    assert bare_world.positions() == [1]


@pytest.mark.parametrize("attempt", ["DELETE FROM event_log_p1", "TRUNCATE event_log_p1"])
def test_without_its_triggers_a_partition_can_be_emptied(small_partitions: World, attempt: str) -> None:
    small_partitions.commit((1, 1))
    Relay().run_once(small_partitions.worker())
    small_partitions.watcher.execute("DROP TRIGGER append_only ON event_log")
    small_partitions.watcher.execute("DROP TRIGGER append_only_truncate ON event_log_p1")
    small_partitions.watcher.execute(attempt)
    small_partitions.watcher.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON event_log"
        " FOR EACH ROW EXECUTE FUNCTION event_log_is_append_only()"
    )
    assert small_partitions.positions() == []


def test_a_position_has_one_event(bare_world: World) -> None:
    bare_world.commit((1, 1))
    Relay().run_once(bare_world.worker())
    with pytest.raises(psycopg.errors.UniqueViolation):
        bare_world.watcher.execute("INSERT INTO event_log SELECT * FROM event_log")
