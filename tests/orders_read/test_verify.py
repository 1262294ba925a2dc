"""A live read model is compared with a fresh fold of its events, row by row, and mended where it differs."""

import json
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from orders_read.generations import drop_generation
from orders_read.verify import run as verifying
from orders_read.verify.run import continue_verifying, verify, verify_aggregates
from orders_read.verify.shadow import Shadow
from outbox import retry
from outbox.connection import connect
from outbox.delivery import Delivery, drain
from outbox.retry import Selection, open_letters
from outbox.subscribers import projection, projections
from tests.mutants import verifications as mutants
from tests.outbox.conftest import Subscribe
from tests.outbox.guarantees import Broken, expect
from tests.outbox.test_careful import MEND, deliver
from tests.outbox.world import FRAGILE, World, seen

from .histories import long_history, write_to_log

# For each table a change that somebody's hand, a bug or a bad disk might have made: a column, a row too many, one less.
DRIFTS = {
    "order_details": "UPDATE read_order_details_g1 SET document = document - 'total' WHERE order_id % 5 = 0",
    "order_search": "UPDATE read_order_search_g1 SET words = '' WHERE order_id % 5 = 0",
    "user_dashboard": "UPDATE read_user_dashboard_g1 SET spent = spent + 0.0001",
    "user_orders": "DELETE FROM read_user_orders_g1 WHERE order_id % 5 = 0",
    "daily_revenue": "UPDATE read_daily_revenue_g1 SET units = units + 1 WHERE country = 'France'",
    "daily_orders": "UPDATE read_daily_orders_g1 SET day = day + 4000 WHERE country = 'France'",
    "product_sales": "UPDATE read_product_sales_g1 SET name = 'Tea' WHERE sku = 'POST'",
    "product_catalogue": "UPDATE read_product_catalogue_g1 SET available = available - 1",
}
LEFT = "SELECT projection, generation FROM projection_generations WHERE state = 'building'"
OWNER = {table.name: one.name for one in projections() for table in one.tables}


@pytest.fixture
def shop(database: None) -> Iterator[None]:
    """Give read models that hold a history of a few hundred events; drop the shadows that a test leaves."""
    write_to_log(long_history(300))
    drain()
    yield
    with connect("tests") as lent:
        for name, generation in lent.execute(LEFT).fetchall():
            drop_generation(lent, name, generation)


def plant(table: str) -> int:
    """Change rows of a live table and return how many."""
    with connection.cursor() as cursor:
        cursor.execute(DRIFTS[table].replace("%", "%%"), [])
        return int(cursor.rowcount)


def look(name: str, *, repairs: bool = False) -> Any:
    return verify(name, repairs=repairs, actor="shell:ada")


def run(*arguments: str) -> tuple[int, str]:
    out, code = StringIO(), 0
    try:
        call_command(*arguments, stdout=out)
    except SystemExit as end:
        code = int(end.code or 0)
    return code, out.getvalue()


def rows(query: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


@pytest.mark.parametrize("one", projections(), ids=lambda one: one.name)
def test_what_was_folded_rightly_is_found_equal(shop: None, one: Any) -> None:
    found = look(one.name)
    assert found.rows_compared > 0
    assert found.differences == []
    assert rows("SELECT generation, state FROM projection_generations WHERE state <> 'live'") == []


@pytest.mark.parametrize("table", DRIFTS)
def test_a_drift_is_found_to_the_row_and_repaired(shop: None, table: str) -> None:
    planted = plant(table)
    found = look(OWNER[table], repairs=True)
    moved = 2 if table == "daily_orders" else 1  # a moved key is a row too many and one too few
    assert planted > 0
    assert {one.table for one in found.differences} == {table}
    assert len(found.differences) == found.repaired == moved * planted
    assert look(OWNER[table]).differences == []


def test_a_repaired_row_is_newer_than_anybody_has_seen(shop: None) -> None:
    plant("product_sales")
    look("product_sales", repairs=True)
    head = rows("SELECT max(position) FROM event_log")
    assert rows("SELECT row_version FROM read_product_sales WHERE sku = 'POST'") == head


def test_a_repair_is_recorded_and_a_verification_too(shop: None) -> None:
    planted = plant("user_dashboard")
    look("user_dashboard", repairs=True)
    ((action, subject, details),) = rows("SELECT action, subject, details::text FROM operator_actions")
    assert (action, subject, json.loads(details)["rows"]) == ("repair", "user_dashboard", planted)
    (noted,) = rows("SELECT rows_different, rows_repaired, findings::text FROM projection_verifications")
    assert noted[:2] == (planted, planted)
    assert json.loads(noted[2])[0]["columns"] == ["spent"]


def test_the_command_tells_what_is_and_what_should_be(shop: None) -> None:
    plant("product_sales")
    code, text = run("verify_projection", "product_sales")
    assert code == 3
    assert 'product_sales POST: name is "Tea", should be "' in text
    assert run("verify_projection", "product_sales", "--repair")[0] == 3
    code, text = run("verify_projection", "--all", "--json")
    assert code == 0
    assert [json.loads(line)["rows_different"] for line in text.splitlines()] == [0] * len(projections())


@pytest.mark.parametrize(
    "arguments",
    [
        ["verify_projection"],
        ["verify_projection", "nobody"],
        ["verify_projection", "--all", "--sample", "3", "--since", "3"],
        ["verify_projection", "order_details", "--sample", "3", "--repair"],
        ["verify_projection", "daily_revenue", "--sample", "3"],
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(shop: None, arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command(*arguments)


@pytest.mark.parametrize("table", ["order_details", "order_search", "user_orders"])
def test_a_drift_is_found_by_the_aggregates_that_changed(shop: None, table: str) -> None:
    planted = plant(table)
    found = verify_aggregates(projection(OWNER[table]), since=0)
    assert len(found.differences) == planted
    assert verify_aggregates(projection(OWNER[table]), since=10**6).rows_compared == 0


def test_a_sample_of_sound_rows_is_equal(shop: None) -> None:
    found = verify_aggregates(projection("order_details"), sample=10)
    assert 0 < found.rows_compared <= 10
    assert found.differences == []


def test_what_waits_behind_a_dead_letter_or_was_skipped_is_no_difference(
    world: World, subscribe: Subscribe
) -> None:
    subscribe(seen("fragile", FRAGILE))
    world.commit((7, 1), (8, 1), (9, 1))
    world.commit((7, 2), (8, 2), event_type="Poison")
    world.commit((7, 3), (8, 3), (9, 2))
    deliver(world)
    retry.skip(open_letters(Selection(aggregate_id=8)), "shell:ada", "sent twice")
    deliver(world)
    assert look("fragile").differences == []
    assert world.versions("fragile") == {7: [1], 8: [1, 3], 9: [1, 2]}
    world.watcher.execute(MEND)
    retry.retry(open_letters(Selection()), "shell:ada")
    deliver(world)
    assert look("fragile").differences == []


def compares_at_one_position(world: World, make: Callable[..., Shadow]) -> None:
    """Check that events which arrive while the shadow is built make no difference."""
    world.commit((1, 1), (2, 1))
    drain()
    with connect("verify") as lent:
        shadow = make(lent, "seen")
        shadow.build(verifying.Budget())
        world.commit((1, 2), (3, 1))
        drain()
        try:
            expect(shadow.compare(), [])
        finally:
            shadow.drop()


def test_events_that_arrive_meanwhile_make_no_difference(world: World) -> None:
    compares_at_one_position(world, Shadow)


def test_who_compares_at_two_positions_is_caught(world: World) -> None:
    with pytest.raises(Broken):
        compares_at_one_position(world, mutants.HastyShadow)


def test_live_delivery_goes_on_while_rows_are_compared(world: World) -> None:
    world.commit((1, 1))
    drain()
    with connect("verify") as lent, connect("reader") as reader:
        shadow = Shadow(lent, "seen")
        shadow.build(verifying.Budget())
        with reader.transaction():
            shadow._freeze_and_take_snapshot(reader)
            world.commit((1, 2))
            assert Delivery(world.worker()).drain() == 1
            assert shadow._differences(reader)[0] == []
        shadow.drop()


def test_a_letter_that_is_settled_meanwhile_makes_the_shadow_begin_anew(
    world: World, subscribe: Subscribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(seen("fragile", FRAGILE))
    world.commit((7, 1))
    world.commit((7, 2), event_type="Poison")
    deliver(world)
    build, built = Shadow.build, []

    def settle_after(self: Shadow, budget: verifying.Budget) -> bool:
        done = build(self, budget)
        if not built:
            world.watcher.execute(MEND)
            retry.retry(open_letters(Selection()), "shell:ada")
            deliver(world)
        built.append(self.verification.verification_id)
        return done

    monkeypatch.setattr(Shadow, "build", settle_after)
    assert look("fragile").differences == []
    assert len(set(built)) == 2
    assert world.ask("SELECT count(*) FROM projection_generations WHERE state = 'building'") == [(0,)]


def verifies_one_after_the_other(lent: psycopg.Connection[Any]) -> dict[str, int]:
    for _ in range(len(projections())):
        continue_verifying(lent, lambda: False)
    return dict(rows("SELECT projection, rows_different FROM projection_verifications"))  # type: ignore[arg-type]


def test_the_continuous_verification_takes_one_projection_after_the_other(shop: None) -> None:
    planted = plant("product_sales")
    with connect("chore") as lent:
        found = verifies_one_after_the_other(lent)
    assert found == {one.name: planted if one.name == "product_sales" else 0 for one in projections()}
    assert rows("SELECT count(*) FROM projection_generations WHERE state = 'building'") == [(0,)]


def test_a_slice_that_does_not_come_to_the_end_is_gone_on_with(
    shop: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr(Shadow, "build", mutants.one_batch_of_fifty)
    with connect("chore") as lent:
        for _ in range(3):
            continue_verifying(lent, lambda: False)
    assert rows("SELECT count(*) FROM projection_verifications WHERE finished_at IS NULL") == [(1,)]
    ((position,),) = rows("SELECT max(to_position) FROM checkpoints WHERE generation = 2")
    assert position == 150


def test_a_rebuild_and_a_verification_keep_out_of_each_others_way(shop: None) -> None:
    with connect("other") as other, verifying.alone(other, "product_sales"):
        with pytest.raises(CommandError) as refusal:
            call_command("verify_projection", "product_sales")
        with connect("chore") as lent:
            continue_verifying(lent, lambda: False)
    assert refusal.value.returncode == 4
    assert rows("SELECT projection FROM projection_verifications") != [("product_sales",)]
