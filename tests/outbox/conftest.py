"""Fixtures of the outbox: a world in which only the test's own projections are fed."""

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_django import Settings

from outbox.subscribers import Projection, table_name
from tests.outbox.processes import start  # noqa: F401 – a fixture
from tests.outbox.world import World, seen

REGISTER = """
INSERT INTO projection_generations (projection, generation, version, state, statements, statements_hash)
VALUES ($1, $2, 1, $3, $4::jsonb, $5)
"""
SET_ASIDE = "CREATE TEMPORARY TABLE set_aside AS SELECT * FROM projection_generations"
PUT_BACK = "INSERT INTO projection_generations SELECT * FROM set_aside"
EMPTY = "DELETE FROM projection_generations"

ANY_PARTITION = "SELECT oid::regclass::text FROM pg_class WHERE relname ~ '^event_log_p' AND relkind = 'r'"

Subscribe = Callable[..., None]


@pytest.fixture
def bare_world(second_connection: Callable[[], Any]) -> Iterator[World]:
    """Give a world without projections; the product's own are put back at the end."""
    world = World(second_connection)
    keeper = second_connection()
    keeper.autocommit = True
    keeper.execute(SET_ASIDE)
    keeper.execute(EMPTY)
    yield world
    keeper.execute(EMPTY)
    keeper.execute(PUT_BACK)


def register(world: World, projection: Projection, generation: int = 1, state: str = "live") -> list[str]:
    """Make a projection's tables, have it fed, and return the names of the tables."""
    names = [table_name(table.name, generation) for table in projection.tables]
    for name, table in zip(names, projection.tables, strict=True):
        world.watcher.execute(f"CREATE TABLE {name} ({table.columns_ddl})")
    folds = zip(names, projection.tables, strict=True)
    text = json.dumps([{"table": name, "sql": table.fold} for name, table in folds])
    digest = hashlib.sha256(text.encode()).hexdigest()
    world.ask(REGISTER + " RETURNING 1", projection.name, generation, state, text, digest)
    return names


@pytest.fixture
def subscribe(bare_world: World) -> Iterator[Subscribe]:
    """Give a function that makes a projection's tables and has it fed."""
    made: list[str] = []

    def make(projection: Projection, generation: int = 1, state: str = "live") -> None:
        made.extend(register(bare_world, projection, generation, state))

    yield make
    for name in made:
        bare_world.watcher.execute(f"DROP TABLE {name}")


@pytest.fixture
def world(bare_world: World, subscribe: Subscribe) -> World:
    """Give a world in which the projection `seen` is fed."""
    subscribe(seen())
    return bare_world


@pytest.fixture
def small_partitions(bare_world: World, settings: Settings) -> Iterator[World]:
    """Give a log whose partitions hold ten events; the usual ones come back with the next relay."""
    settings.OUTBOX = settings.OUTBOX | {"PARTITION_SIZE": 10}
    _drop_partitions(bare_world)
    yield bare_world
    _drop_partitions(bare_world)


def _drop_partitions(world: World) -> None:
    """Drop the detached ones too."""
    for (name,) in world.ask(ANY_PARTITION):
        world.watcher.execute(f"DROP TABLE {name}")
