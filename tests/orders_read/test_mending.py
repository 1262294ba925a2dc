"""Read models that were made by older code are changed in place, to what today's code would have made."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django.db.migrations.state import ProjectState

from outbox.delivery import drain
from outbox.folds import stored_form
from outbox.models import Generation
from outbox.subscribers import projection
from tests.orders_write.shop import customer, list_products, place, rows

OLD_POSITIONS = """
UPDATE read_order_details_g1 SET document = jsonb_set(document, '{timeline}', (
       SELECT jsonb_agg(entry || jsonb_build_object('position', (entry ->> 'position')::bigint) ORDER BY number)
         FROM jsonb_array_elements(document -> 'timeline') WITH ORDINALITY AS element (entry, number)))
"""
OLD_FOLDS = "UPDATE projection_generations SET statements_hash = 'old' WHERE projection LIKE 'order_%'"
MIGRATION = import_module("orders_read.migrations.0003_erased_customers").Migration

pytestmark = pytest.mark.usefixtures("database")


@pytest.mark.parametrize("times", [1, 2])
def test_timelines_get_strings_for_positions_and_generations_get_the_folds_of_today(times):
    list_products("mug")
    place(customer())
    drain()
    wanted = rows("SELECT document::text, row_version FROM read_order_details_g1")
    with connection.cursor() as cursor:
        cursor.execute(OLD_POSITIONS)
        cursor.execute(OLD_FOLDS)
    assert rows("SELECT document::text, row_version FROM read_order_details_g1") != wanted

    state = ProjectState.from_apps(apps)
    for _ in range(times):
        with connection.schema_editor() as editor:
            for operation in MIGRATION.operations:
                operation.database_forwards("orders_read", editor, state, state)

    assert rows("SELECT document::text, row_version FROM read_order_details_g1") == wanted
    for name in ("order_details", "order_search"):
        generation = Generation.objects.get(projection=name)
        assert generation.statements_hash == stored_form(projection(name), 1)[1]
