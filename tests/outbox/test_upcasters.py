"""An event of an older schema version is read as one of today by whatever reads the log."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.core.checks import run_checks
from django.core.checks.database import Tags
from pytest_django import Settings

from orders_read.rebuild.run import Wishes, rebuild
from orders_read.verify.run import verify, verify_aggregates
from outbox import folding, history
from outbox.append import APPEND
from outbox.checks import check_settings
from outbox.connection import connect
from outbox.delivery import Delivery
from outbox.folding import FOLDS
from outbox.folds import executable
from outbox.publishers import endpoints
from outbox.publishers.models import WebhookDelivery
from outbox.relay import Relay
from outbox.subscribers import Projection, Table
from outbox.upcasters import PLAIN, gaps, read_as_today
from tests.mutants import upcasters as mutants
from tests.mutants.upcasters import Mutant
from tests.outbox.conftest import Subscribe
from tests.outbox.guarantees import Broken, expect
from tests.outbox.publishers import conftest as publishing
from tests.outbox.publishers.conftest import receiver as receiver  # noqa: PLC0414 – a fixture
from tests.outbox.test_delivery import key_of
from tests.outbox.world import KIND, NOW, World
from tests.webhook_receiver import TAKEN, Answer, WebhookReceiver

# Three versions of one made-up event: at first {"to"}, then {"town"}, then {"town", "country"}.
NEWEST = {"ParcelMoved": 3, "Poison": 1}
FUNCTIONS = """
CREATE FUNCTION upcast_parcel_moved_1(payload jsonb) RETURNS jsonb IMMUTABLE LANGUAGE sql
RETURN (payload - 'to') || jsonb_build_object('town', payload -> 'to');
CREATE FUNCTION upcast_parcel_moved_2(payload jsonb) RETURNS jsonb IMMUTABLE LANGUAGE sql
RETURN payload || '{"country": "GB"}';
"""
DROP = "DROP FUNCTION upcast_parcel_moved_1(jsonb); DROP FUNCTION upcast_parcel_moved_2(jsonb)"
UPCASTERS = {"ParcelMoved": {1: "upcast_parcel_moved_1", 2: "upcast_parcel_moved_2"}}
WRITTEN = [(1, {"to": "Leeds"}), (2, {"town": "York"}), (3, {"town": "Ely", "country": "FR"})]
TODAY = [("Leeds", "GB"), ("York", "GB"), ("Ely", "FR")]

TOWNS = """
INSERT INTO {table} (aggregate_id, seen, row_version)
SELECT aggregate_id,
       jsonb_agg(jsonb_build_array(payload ->> 'town', payload ->> 'country', schema_version) ORDER BY position),
       max(position)
  FROM batch WHERE aggregate_type = 'parcel'
 GROUP BY aggregate_id ORDER BY aggregate_id
ON CONFLICT (aggregate_id) DO UPDATE
   SET seen = {table}.seen || excluded.seen, row_version = excluded.row_version
"""
towns = Projection(
    name="towns",
    version=1,
    question="Which towns did a parcel see?",
    tables=(
        Table(
            name="towns",
            columns_ddl="aggregate_id bigint PRIMARY KEY, seen jsonb NOT NULL, row_version bigint NOT NULL",
            fold=TOWNS,
            aggregate_type=KIND,
        ),
    ),
)
SEEN = [[town, country, 3] for town, country in TODAY]


def rows_of(version: int, payload: dict[str, str], aggregate_id: int, aggregate_version: int) -> str:
    row = {
        "event_id": f"00000000-0000-7000-8000-{aggregate_id:06}{aggregate_version:06}",
        "event_type": "ParcelMoved",
        "schema_version": version,
        "aggregate_type": KIND,
        "aggregate_id": aggregate_id,
        "aggregate_version": aggregate_version,
        "payload": payload,
        "metadata": {},
        "occurred_at": NOW.isoformat(),
    }
    return json.dumps([row])


def log(world: World, aggregate_id: int = 1) -> None:
    """Write one event of each version to the log, as the code of its time did."""
    with world.watcher.transaction():
        for number, (version, payload) in enumerate(WRITTEN, 1):
            text = rows_of(version, payload, aggregate_id, number)
            psycopg.RawCursor(world.watcher).execute(APPEND, [text])
    while Relay().run_once(world.watcher):
        pass


@pytest.fixture
def evolved(bare_world: World, subscribe: Subscribe, settings: Settings) -> Iterator[World]:
    """Give a world whose events have evolved, with a read model of them behind a view."""
    settings.OUTBOX = settings.OUTBOX | {
        "EVENTS": "tests.outbox.test_upcasters.NEWEST",
        "UPCASTERS": UPCASTERS,
        "WEBHOOK_ALLOWED_NETWORKS": ["127.0.0.0/8", "::1/128"],
        "SUBSCRIBERS": ["tests.outbox.test_upcasters.towns"],
    }
    FOLDS._folds.clear()
    bare_world.watcher.execute(FUNCTIONS)
    subscribe(towns)
    bare_world.watcher.execute("CREATE VIEW read_towns AS SELECT * FROM read_towns_g1")
    yield bare_world
    FOLDS._folds.clear()
    bare_world.watcher.execute("DROP VIEW read_towns")
    bare_world.watcher.execute("DROP TABLE IF EXISTS read_towns_g2")
    bare_world.watcher.execute(DROP)


def seen(world: World) -> dict[int, list[Any]]:
    return dict(world.ask("SELECT aggregate_id, seen FROM read_towns ORDER BY 1"))


def folds_see_today(world: World, _: Any) -> None:
    log(world)
    Delivery(world.worker()).drain()
    expect(seen(world), {1: SEEN})


def retries_see_today(world: World, _: Any) -> None:
    log(world)
    Delivery(world.worker()).drain()
    world.watcher.execute("DELETE FROM read_towns_g1")
    key = key_of(world, "towns")
    with connect("test") as careful:
        FOLDS.load(careful, [key])
        for position in (1, 2, 3):
            folding.fold_event(careful, key, position, row_version=3)
    expect(seen(world), {1: SEEN})


def rebuilds_see_today(world: World, _: Any) -> None:
    log(world)
    Delivery(world.worker()).drain()
    world.watcher.execute("DELETE FROM read_towns_g1")
    rebuild(towns, Wishes(actor="shell:ada"))
    expect(seen(world), {1: SEEN})


def verification_sees_today(world: World, _: Any) -> None:
    """Plant what should be there, so that only the fresh folds are looked at."""
    log(world)
    Delivery(world.worker()).drain()
    world.watcher.execute("UPDATE read_towns_g1 SET seen = %s::jsonb", [json.dumps(SEEN)])
    expect(verify("towns", repairs=False, actor="shell:ada").differences, [])
    expect(verify_aggregates(towns, since=0).differences, [])


def python_sees_today(world: World, _: Any) -> None:
    log(world)
    for events in (
        history.events_after(0, 10),
        history.aggregate_events(KIND, 1),
        [history.event_at(position) for position in (1, 2, 3)],
    ):
        found = [(event.payload.get("town"), event.payload.get("country")) for event in events]
        expect(found, TODAY)
        expect([event.schema_version for event in events], [3, 3, 3])


def bodies(receiver: WebhookReceiver) -> list[tuple[Any, Any]]:
    told = [json.loads(content)["data"] for _, content in receiver.requests]
    return [(data["payload"].get("town"), data["payload"].get("country")) for data in told]


def webhooks_see_today(world: World, receiver: WebhookReceiver) -> None:
    log(world)
    shop = publishing.Shop(world, receiver)
    shop.endpoint()
    shop.deliver()
    expect(bodies(receiver), TODAY)


def parked_webhooks_see_today(world: World, receiver: WebhookReceiver) -> None:
    log(world)
    shop = publishing.Shop(world, receiver)
    shop.endpoint()
    receiver.answer(Answer(400))
    shop.deliver()
    receiver.requests.clear()
    receiver.answer(TAKEN)
    shop.let_time_pass()
    shop.deliver()
    expect(bodies(receiver), TODAY)


def replayed_webhooks_see_today(world: World, receiver: WebhookReceiver) -> None:
    log(world)
    shop = publishing.Shop(world, receiver)
    shop.endpoint()
    shop.deliver()
    receiver.requests.clear()
    for delivery in WebhookDelivery.objects.order_by("position"):
        endpoints.replay_delivery("user:1", delivery)
    expect(bodies(receiver), TODAY)


CHECKS: list[tuple[Callable[[World, Any], None], list[Mutant]]] = [
    (folds_see_today, [mutants.folds_forget, mutants.one_step_is_enough]),
    (retries_see_today, [mutants.folds_forget]),
    (rebuilds_see_today, [mutants.folds_forget]),
    (verification_sees_today, [mutants.folds_forget]),
    (python_sees_today, [mutants.history_forgets, mutants.one_step_is_enough]),
    (webhooks_see_today, [mutants.publishers_forget]),
    (parked_webhooks_see_today, [mutants.publishers_forget]),
    (replayed_webhooks_see_today, [mutants.replays_forget]),
]


@pytest.mark.parametrize("check", [check for check, _ in CHECKS], ids=lambda check: check.__name__)
def test_whatever_reads_the_log_reads_it_as_today(
    evolved: World, receiver: WebhookReceiver, check: Callable[[World, Any], None]
) -> None:
    check(evolved, receiver)


@pytest.mark.parametrize(
    ("check", "mutant"),
    [(check, mutant) for check, those in CHECKS for mutant in those],
    ids=lambda part: part.__name__,
)
def test_who_forgets_it_is_caught(
    evolved: World,
    receiver: WebhookReceiver,
    check: Callable[[World, Any], None],
    mutant: Mutant,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mutant(monkeypatch)
    with pytest.raises((Broken, psycopg.Error)):
        check(evolved, receiver)


def test_the_log_keeps_what_was_written(evolved: World) -> None:
    folds_see_today(evolved, None)
    assert evolved.ask("SELECT schema_version, payload FROM event_log ORDER BY position") == WRITTEN


def test_without_upcasters_a_batch_is_read_as_it_stands(settings: Settings) -> None:
    assert read_as_today() == PLAIN
    assert "CASE" not in executable("INSERT INTO {table} SELECT FROM batch", "t", 1).of_range


@pytest.mark.parametrize(
    ("chains", "newest", "told"),
    [
        ({}, {"A": 1}, []),
        ({"A": {1: "f"}}, {"A": 2}, []),
        ({}, {"A": 2}, ["A has no upcaster of version 1"]),
        ({"A": {1: "f", 3: "g"}}, {"A": 4}, ["A has no upcaster of version 2"]),
        ({"A": {1: "f", 2: "g"}}, {"A": 2}, ["A has version 2 today, but an upcaster of 2"]),
        ({"B": {1: "f"}}, {"A": 1}, ["no code knows the event B"]),
    ],
)
def test_a_gap_in_a_chain_is_found(chains: Any, newest: dict[str, int], told: list[str]) -> None:
    assert list(gaps(chains, newest)) == told


@pytest.mark.parametrize(
    ("chains", "ids"),
    [
        (UPCASTERS, []),
        ({"ParcelMoved": {1: "upcast_parcel_moved_1"}}, ["outbox.E042"]),
        (["upcast"], ["outbox.E040"]),
        ({"ParcelMoved": "upcast"}, ["outbox.E040"]),
        ({"ParcelMoved": {1: 'f"(); --', 2: "g"}}, ["outbox.E041"]),
        ({"ParcelMoved": {"1": "f"}}, ["outbox.E041"]),
    ],
)
def test_a_mistake_in_the_settings_is_told(settings: Settings, chains: Any, ids: list[str]) -> None:
    settings.OUTBOX = settings.OUTBOX | {
        "EVENTS": "tests.outbox.test_upcasters.NEWEST",
        "UPCASTERS": chains,
    }
    assert [found.id for found in check_settings(None)] == ids


def test_a_function_that_is_missing_or_may_change_its_mind_is_told(evolved: World) -> None:
    def found() -> list[str]:
        checks = run_checks(tags=[Tags.database], databases=["default"])
        return [one.msg.partition("(")[0] for one in checks if one.id == "outbox.W003"]

    assert found() == []
    evolved.watcher.execute("ALTER FUNCTION upcast_parcel_moved_1(jsonb) VOLATILE")
    assert found() == ["The database has no IMMUTABLE function upcast_parcel_moved_1"]
