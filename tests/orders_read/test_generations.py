"""Tests of generations: tables behind views, made once, dropped whole."""

import hashlib
import json
from dataclasses import replace

import pytest
from django.db import connection
from django.db.migrations.state import ProjectState

from orders_read.generations import CreateReadModels, create_generation, show_generation
from orders_read.projections.product_sales import projection as product_sales
from outbox import retention
from outbox.exceptions import LogIsPruned
from outbox.models import Generation
from outbox.subscribers import projections

pytestmark = pytest.mark.usefixtures("database")

NAME = "product_sales_twin"
TWIN = replace(
    product_sales, name=NAME, tables=tuple(replace(table, name=NAME) for table in product_sales.tables)
)


@pytest.fixture
def twin(database, monkeypatch):
    """Pretend that there is a projection which this database does not know yet."""
    monkeypatch.setattr("orders_read.projections.product_sales.projection", TWIN)
    operation = CreateReadModels("product_sales")
    yield operation
    migrate(operation.database_backwards)


def migrate(step):
    with connection.schema_editor() as editor:
        step("orders_read", editor, ProjectState(), ProjectState())


def relations():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, relkind FROM pg_class WHERE relname LIKE %s AND relkind <> 'i'",
            [f"read_{NAME}%"],
        )
        return dict(cursor.fetchall())


def live():
    return Generation.objects.filter(projection=NAME)


def test_every_projection_has_a_live_generation_built_from_todays_folds():
    for projection in projections():
        generation = Generation.objects.get(projection=projection.name, state="live")
        texts = [stored["sql"] for stored in generation.statements]
        assert texts == [table.fold for table in projection.tables]
        assert generation.version == projection.version


def test_the_first_generation_is_made_behind_its_view(twin):
    migrate(twin.database_forwards)

    generation = live().get()
    assert (generation.generation, generation.state) == (1, "live")
    assert [stored["table"] for stored in generation.statements] == [f"read_{NAME}_g1"]
    assert relations() == {f"read_{NAME}_g1": "r", f"read_{NAME}": "v"}


def test_making_it_again_changes_nothing(twin):
    migrate(twin.database_forwards)
    before = live().values_list("created_at", "statements_hash").get()

    migrate(twin.database_forwards)

    assert live().values_list("created_at", "statements_hash").get() == before


def test_a_second_generation_is_built_beside_the_live_one_and_shown_later(twin):
    migrate(twin.database_forwards)

    with connection.cursor() as cursor:
        create_generation(cursor, TWIN, 2, "building")
        cursor.execute(f"INSERT INTO read_{NAME}_g2 SELECT 'mug', 'n', 'c', 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1")
        cursor.execute(f"SELECT count(*) FROM read_{NAME}")
        assert cursor.fetchone() == (0,)
        show_generation(cursor, [NAME], 2)
        cursor.execute(f"SELECT count(*) FROM read_{NAME}")
        assert cursor.fetchone() == (1,)


def test_none_is_begun_on_a_log_that_was_pruned(twin, monkeypatch):
    migrate(twin.database_forwards)
    monkeypatch.setattr(retention, "pruned_up_to", lambda _: 10)

    with pytest.raises(LogIsPruned), connection.cursor() as cursor:
        create_generation(cursor, TWIN, 2, "building")

    assert f"read_{NAME}_g2" not in relations()


def test_dropping_takes_every_generation_and_its_checkpoints(twin):
    migrate(twin.database_forwards)
    with connection.cursor() as cursor:
        create_generation(cursor, TWIN, 2, "kept")
        cursor.execute(
            "INSERT INTO checkpoints (subscriber, generation, from_position, to_position) VALUES (%s, 1, 0, 1)",
            [NAME],
        )

    migrate(twin.database_backwards)

    assert relations() == {}
    assert not live().exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM checkpoints WHERE subscriber = %s", [NAME])
        assert cursor.fetchone() == (0,)


def test_the_hash_names_the_text_of_the_folds(twin):
    migrate(twin.database_forwards)

    generation = live().get()

    texts = [{"table": stored["table"], "sql": stored["sql"]} for stored in generation.statements]
    assert generation.statements_hash == hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def test_a_migration_can_write_the_operation_down():
    name, arguments, options = CreateReadModels("a", "b").deconstruct()

    assert (name, arguments, options) == ("CreateReadModels", ["a", "b"], {})
    assert CreateReadModels("a", "b").describe() == "Create read models a, b"
