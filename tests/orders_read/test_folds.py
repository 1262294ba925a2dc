"""Tests of the folds: any split of the log into batches gives what plain Python gives."""

from itertools import pairwise

import orjson
import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outbox.folds import executable
from outbox.subscribers import projections, table_name

from . import reference
from .histories import histories, long_history, write_to_log

KEYS = {
    "order_details": ["order_id"],
    "order_search": ["order_id"],
    "user_dashboard": ["user_id"],
    "user_orders": ["order_id"],
    "daily_revenue": ["day", "category", "country"],
    "daily_orders": ["day", "country"],
    "product_sales": ["sku"],
    "product_catalogue": ["product_id"],
}
TABLES = [(projection, table) for projection in projections() for table in projection.tables]

slow = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def fold(bounds):
    """Fold the ranges between the bounds into empty tables; return each table as rows by key."""
    with connection.cursor() as cursor:
        names = ", ".join(table_name(table.name, 1) for _, table in TABLES)
        cursor.execute(f"TRUNCATE {names}")
        for low, high in pairwise(bounds):
            for _, table in TABLES:
                statement = executable(table.fold, table_name(table.name, 1), 1).of_range
                statement = statement.replace("%", "%%").replace("$1", "%(low)s").replace("$2", "%(high)s")
                cursor.execute(statement, {"low": low, "high": high})
        return {table.name: rows(cursor, table.name) for _, table in TABLES}


def rows(cursor, name):
    cursor.execute(f"SELECT * FROM read_{name}")
    columns = [column.name for column in cursor.description]
    found = {}
    for values in cursor.fetchall():
        row = dict(zip(columns, values, strict=True))
        row.pop("words", None)
        if "document" in row:
            row["document"] = orjson.loads(row["document"])
            for entry in row["document"]["timeline"]:
                del entry["recorded_at"]  # the database's clock
        key = tuple(row[column] for column in KEYS[name])
        found[key if len(key) > 1 else key[0]] = row
    return found


@given(history=histories, cuts=st.lists(st.integers(1, 60), max_size=8))
@slow
def test_any_split_into_batches_gives_what_plain_python_gives(database, history, cuts):
    before = write_to_log(history)
    after = before + len(history)

    split = fold(sorted({before, after, *(before + cut for cut in cuts if cut < len(history))}))

    expected = reference.fold(history, before + 1)
    for name in KEYS:
        assert split[name] == expected[name], name


@pytest.mark.parametrize("batch_size", [1, 1_000])
def test_a_long_history_gives_what_plain_python_gives(database, batch_size):
    history = long_history(300)
    before = write_to_log(history)
    after = before + len(history)

    folded = fold([*range(before, after, batch_size), after])

    assert folded == reference.fold(history, before + 1)


@pytest.mark.parametrize(("projection", "table"), TABLES, ids=lambda one: one.name)
def test_a_fold_reads_the_batch_and_the_tables_of_its_own_projection_only(database, projection, table):
    statement = executable(table.fold, table_name(table.name, 1), 1).of_range
    with connection.cursor() as cursor:
        cursor.execute(
            f"EXPLAIN (FORMAT JSON) {statement.replace('%', '%%').replace('$1', '1').replace('$2', '2')}"
        )
        plan = cursor.fetchone()[0]

    own = {table_name(one.name, 1) for one in projection.tables}
    log = {relation for relation in _relations(plan) if relation.startswith("event_")}
    assert _relations(plan) - log <= own
    assert log <= {"event_log", "event_personal"} | {one for one in log if one.startswith("event_log_p")}


def _relations(plan):
    if isinstance(plan, list):
        return set().union(*map(_relations, plan))
    if isinstance(plan, dict):
        own = {plan["Relation Name"]} if "Relation Name" in plan else set()
        return own.union(*map(_relations, plan.values()))
    return set()
