"""What passes through a table does not stay in its file: outbox, checkpoints and attempts stay small."""

import pytest

from outbox import checkpoints
from outbox.delivery import Delivery
from outbox.relay import Relay
from tests.outbox.world import World

MESSAGES, AT_ONCE = 50_000, 2_500
SIZE = "SELECT pg_total_relation_size($1::regclass)"
STORAGE = (
    "SELECT option_name, option_value FROM pg_class, pg_options_to_table(reloptions) WHERE oid = $1::regclass"
)

# A message of the shop takes about a kilobyte, these a third; either way a few batches' worth.
OUTBOX_BOUND = 4_000_000
SMALL_BOUND = 500_000


def move_many(world: World, *, vacuum: bool = True) -> None:
    """Move messages through the outbox, as vacuumed as autovacuum's threshold of 5,000 dead rows would have it."""
    relay, connection = Relay(), world.worker()
    for start in range(0, MESSAGES, AT_ONCE):
        world.commit(*((start + number, 1) for number in range(AT_ONCE)))
        relay.run_once(connection)
        if vacuum and start // AT_ONCE % 2:
            world.watcher.execute("VACUUM outbox")
    assert world.ask("SELECT count(*) FROM outbox") == [(0,)]


def size(world: World, table: str) -> int:
    return int(world.ask(SIZE, table)[0][0])


def test_the_outbox_stays_small(bare_world: World) -> None:
    move_many(bare_world)
    assert size(bare_world, "outbox") < OUTBOX_BOUND
    assert bare_world.ask("SELECT count(*) FROM event_log") == [(MESSAGES,)]


def test_without_vacuum_it_does_not(bare_world: World) -> None:
    bare_world.watcher.execute("ALTER TABLE outbox SET (autovacuum_enabled = off)")
    move_many(bare_world, vacuum=False)
    bare_world.watcher.execute("ALTER TABLE outbox RESET (autovacuum_enabled)")
    assert size(bare_world, "outbox") > OUTBOX_BOUND
    bare_world.watcher.execute("VACUUM outbox")
    assert size(bare_world, "outbox") < OUTBOX_BOUND


def test_checkpoints_and_attempts_stay_small(world: World) -> None:
    connection = world.worker()
    delivery = Delivery(connection)
    for version in range(1, 501):
        world.commit((1, version))
        delivery.drain()
        if version % 100 == 0:
            checkpoints.sweep(connection, keep_seconds=0)
            for table in ("checkpoints", "delivery_attempts", "delivery_failures"):
                world.watcher.execute(f"VACUUM {table}")
    assert world.ask("SELECT count(*) FROM checkpoints") == [(1,)]
    for table in ("checkpoints", "delivery_attempts", "delivery_failures"):
        assert size(world, table) < SMALL_BOUND


@pytest.mark.parametrize(
    ("table", "dead_rows"),
    [
        ("outbox", "5000"),
        ("checkpoints", "1000"),
        ("delivery_attempts", "1000"),
        ("delivery_failures", "200"),
        ("delivery_workers", "200"),
    ],
)
def test_autovacuum_counts_rows_and_not_shares_of_a_table_that_is_mostly_empty(
    bare_world: World, table: str, dead_rows: str
) -> None:
    found = dict(bare_world.ask(STORAGE, table))
    assert (float(found["autovacuum_vacuum_scale_factor"]), found["autovacuum_vacuum_threshold"]) == (
        0,
        dead_rows,
    )


def test_autovacuum_takes_small_shares_of_the_answers(bare_world: World) -> None:
    found = dict(bare_world.ask(STORAGE, "idempotency_keys"))
    assert float(found["autovacuum_vacuum_scale_factor"]) <= 0.05
