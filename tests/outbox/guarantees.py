"""What the way of a message promises, as checks: each is run on the product, and on mutants that break the promise.

A check raises `Broken` when the promise is not kept. A **carrier** brings committed messages to one subscriber.
"""

import threading
from collections.abc import Callable
from itertools import groupby
from typing import Any, Protocol

import psycopg

from outbox.bound import ScanBound
from outbox.connection import one_value
from outbox.relay import RELAY_LOCK, Relay
from tests.outbox.world import World, put


class Broken(AssertionError):
    """The promise is not kept."""


class Carrier(Protocol):
    """Brings messages to a subscriber, which writes down what it gets."""

    got: list[tuple[int, int]]

    def carry(self) -> None:
        """Bring everything that can be brought now."""

    def carry_in_steps(self, between: Callable[[], None]) -> None:
        """Do the same in one transaction, calling back before each statement but the first."""


class LogCarrier:
    """The product's relay, and a subscriber that reads the log after its checkpoint."""

    relay_class = Relay
    bound_class = ScanBound

    def __init__(self, world: World, batch_size: int = 100) -> None:
        self.world = world
        self.connection = world.worker()
        self.relay = self.relay_class(batch_size, self.bound_class(interval_seconds=0))
        self.got: list[tuple[int, int]] = []
        self.checkpoint = 0
        self.relay.run_once(self.connection)  # makes the partitions

    def carry(self) -> None:
        """Relay until nothing is left, and read."""
        while self.relay.run_once(self.connection):
            pass
        self.read()

    def carry_in_steps(self, between: Callable[[], None]) -> None:
        """Relay once, statement by statement, and read."""
        with self.connection.transaction(), psycopg.RawCursor(self.connection) as cursor:
            for number, (statement, parameters) in enumerate(self.statements()):
                if number:
                    between()
                cursor.execute(statement, parameters)
        self.read()

    def statements(self) -> list[tuple[str, list[Any]]]:
        """List what the relay executes in one transaction."""
        last_position = one_value(self.connection.execute("SELECT 1000000"))
        move = [self.relay.bound.value, self.relay.batch_size, last_position]
        return [(self.relay.try_lock, [RELAY_LOCK]), (self.relay.move, move)]

    def read(self) -> None:
        """Read the log after the checkpoint, as a subscriber does."""
        query = "SELECT position, aggregate_id, aggregate_version FROM event_log WHERE position > $1 ORDER BY position"
        rows = psycopg.RawCursor(self.connection).execute(query, [self.checkpoint]).fetchall()
        self.got += [(aggregate_id, version) for _, aggregate_id, version in rows]
        self.checkpoint = rows[-1][0] if rows else self.checkpoint


MakeCarrier = Callable[[World], Carrier]


def late_commit(world: World, make: MakeCarrier) -> None:
    """Check that an earlier identity that is committed later arrives all the same."""
    carrier = make(world)
    late, early = world.writer(), world.writer()
    put(late, (1, 1))
    for version in (1, 2, 3):
        put(early, (2, version))
        early.commit()
        carrier.carry()
    late.commit()
    carrier.carry()
    expect(sorted(carrier.got), [(1, 1), (2, 1), (2, 2), (2, 3)])


def backlog(world: World, make: MakeCarrier) -> None:
    """Check that more messages than a batch holds arrive all."""
    carrier = make(world)
    world.commit(*((1, version) for version in range(1, 251)))
    for _ in range(20):
        carrier.carry()
    expect(carrier.got, [(1, version) for version in range(1, 251)])


def commit_within_the_relay(world: World, make: MakeCarrier) -> None:
    """Check that what is committed while a relay is at work arrives all the same."""
    carrier = make(world)
    late = world.writer()
    put(late, (1, 1))
    world.commit((2, 1))
    carrier.carry_in_steps(late.commit)
    carrier.carry()
    expect(sorted(carrier.got), [(1, 1), (2, 1)])


def rollback_gap(world: World, make: MakeCarrier) -> None:
    """Check that positions are dense, although identities are not."""
    carrier = make(world)
    writer = world.writer()
    for version in (1, 2):
        put(writer, (2, version), (3, version))
        writer.rollback()
        put(writer, (1, version))
        writer.commit()
        carrier.carry()
    expect(carrier.got, [(1, 1), (1, 2)])
    expect(world.positions(), [1, 2])


def key_first(world: World, make: MakeCarrier) -> None:
    """Check that versions arrive in order when the later event's transaction began first, as an idempotency key's."""
    carrier = make(world)
    world.watcher.execute("CREATE TABLE IF NOT EXISTS claimed_keys (key text PRIMARY KEY)")
    first, second = world.writer(), world.writer()
    first.execute("INSERT INTO claimed_keys VALUES ('first')")
    second.execute("INSERT INTO claimed_keys VALUES ('second')")
    put(second, (1, 1))
    second.commit()
    put(first, (1, 2))  # the first has waited for the aggregate's lock, so it comes second
    first.commit()
    carrier.carry()
    world.watcher.execute("DROP TABLE claimed_keys")
    expect(carrier.got, [(1, 1), (1, 2)])


def foreign_transaction(world: World, make: MakeCarrier) -> None:
    """Check that a transaction that is open elsewhere delays nobody."""
    carrier = make(world)
    foreigner = world.writer()
    foreigner.execute("SELECT pg_current_xact_id()")
    world.commit((1, 1))
    carrier.carry()
    foreigner.rollback()
    expect(carrier.got, [(1, 1)])


def open_refresh(world: World, make: MakeCarrier) -> None:
    """Check that a materialized view that is being refreshed delays nobody."""
    carrier = make(world)
    world.watcher.execute("CREATE MATERIALIZED VIEW slow_view AS SELECT count(*) FROM event_log")
    refresher = world.writer()
    refresher.execute("REFRESH MATERIALIZED VIEW slow_view")
    world.commit((1, 1))
    carrier.carry()
    refresher.rollback()
    world.watcher.execute("DROP MATERIALIZED VIEW slow_view")
    expect(carrier.got, [(1, 1)])


def two_relays(world: World, make: MakeCarrier) -> None:
    """Check that a second relay, started while the first is about to commit, neither loses nor doubles nor reorders."""
    one, other = make(world), make(world)
    world.commit((1, 1))
    second = threading.Thread(target=other.carry)

    def start_second() -> None:
        if second.ident is None:
            world.commit((1, 2))
            second.start()

    def run_first() -> None:
        with one.connection.transaction(), psycopg.RawCursor(one.connection) as cursor:
            for statement, parameters in one.statements():
                cursor.execute(statement, parameters)
            start_second()
            wait_until_done_or_blocked(world, second, other.connection)

    run_first()
    second.join()
    other.carry()
    expect(world.positions(), [1, 2])
    expect(other.got, [(1, 1), (1, 2)])


def flat_scan(world: World, make: MakeCarrier) -> None:
    """Check that an old snapshot, under which dead rows cannot be removed, does not make the scan dearer."""
    carrier = make(world)
    old = world.writer()
    old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    old.execute("SELECT count(*) FROM outbox")
    for _ in range(4):
        world.commit(*((1, version) for version in range(1, 501)))
        carrier.carry()
    for _ in range(3):  # until the bound has followed
        carrier.carry()
    blocks = _blocks_of_a_run(carrier)
    old.rollback()
    if blocks > 40:
        raise Broken(f"an idle scan reads {blocks} blocks")


def flat_backlog(world: World, make: MakeCarrier) -> None:
    """Check the same while more waits than a batch holds, so that no scan comes to the end."""
    carrier: Any = make(world)
    old = world.writer()
    old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    old.execute("SELECT count(*) FROM outbox")
    world.commit(*((1, version) for version in range(1, 6_001)))
    for _ in range(50):
        carrier.relay.run_once(carrier.connection)
    blocks = _blocks_of_a_run(carrier)
    old.rollback()
    if blocks > 40:
        raise Broken(f"the scan for the next message reads {blocks} blocks")


def _blocks_of_a_run(carrier: Any) -> int:
    """Count the blocks that a run reads which would move one message."""
    with carrier.connection.transaction(), psycopg.RawCursor(carrier.connection) as cursor:
        (lock, lock_parameters), (move, (bound, _, last_position)) = carrier.statements()
        cursor.execute(lock, lock_parameters)
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {move}", [bound, 1, last_position])
        plan = one_value(cursor)[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def wait_until_done_or_blocked(
    world: World, thread: threading.Thread, connection: psycopg.Connection[Any]
) -> None:
    """Wait until a thread has ended or its connection waits for another one's lock."""
    while thread.is_alive():
        if world.ask(
            "SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = 'Lock'",
            connection.info.backend_pid,
        ):
            return
        thread.join(0.005)


def in_version_order(got: list[tuple[int, int]]) -> None:
    """Check that each aggregate's versions arrived as 1, 2, 3 and so on."""
    for aggregate_id, events in groupby(sorted(got, key=lambda event: event[0]), key=lambda event: event[0]):
        versions = [version for _, version in events]
        expect((aggregate_id, versions), (aggregate_id, list(range(1, len(versions) + 1))))


def expect(actual: Any, wanted: Any) -> None:
    """Compare."""
    if actual != wanted:
        raise Broken(f"{actual} instead of {wanted}")
