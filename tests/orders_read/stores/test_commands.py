"""The commands about mirrors, and the checks of READ_STORES."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from orders_read.mirrors import building
from orders_read.mirrors.building import mirror_of
from orders_read.stores.checks import CHORE, check_read_stores
from orders_read.stores.documents import DOCUMENTS
from outbox.connection import connect

from .conftest import Mirrored

REDIS = {"BACKEND": "orders_read.stores.redis", "LOCATION": "redis://127.0.0.1:1/0"}


def run(*arguments: str) -> tuple[int, str]:
    out, code = StringIO(), 0
    try:
        call_command(*arguments, stdout=out)
    except SystemExit as end:
        code = int(end.code or 0)
    except CommandError as refusal:
        return refusal.returncode, str(refusal)
    return code, out.getvalue()


def test_a_mirror_is_built_verified_repaired_and_dropped(shop: Mirrored) -> None:
    orders = [order_id for (order_id,) in shop.ask("SELECT order_id FROM read_order_details")]
    assert run("verify_mirror", "order_details") == (
        1,
        f"{mirror_of('order_details').subscriber} holds nothing that could be compared: build it with rebuild_mirror.",
    )
    assert run("rebuild_mirror", "order_details") == (
        0,
        f"order_details: {len(orders)} documents were copied, and are shown.\n",
    )
    assert run("verify_mirror", "order_details") == (
        0,
        f"{mirror_of('order_details').subscriber}: {len(orders)} documents compared, all equal.\n",
    )
    shop.backend.spoil("order_details", 1, orders[:2])
    code, text = run("verify_mirror", "order_details", "--repair", "--json")
    assert (code, json.loads(text)["documents_repaired"]) == (3, 3)
    shop.backend.spoil("order_details", 1, orders[:2])
    code, text = run("verify_mirror", "order_details")
    assert code == 3
    assert f"  {orders[0]}: is missing" in text
    assert f"  {orders[1]}: version " in text
    assert "  987654321: should not be there" in text
    assert run("drop_mirror", "order_details") == (0, "order_details is in PostgreSQL alone.\n")
    assert shop.backend.count("order_details", 1) == 0
    assert shop.ask("SELECT count(*) FROM publishers") == [(0,)]
    assert shop.ask("SELECT count(*) FROM checkpoints WHERE subscriber LIKE 'order_details@%%'") == [(0,)]


def test_a_mirror_that_was_dropped_can_be_built_again(mirrored: Mirrored) -> None:
    run("drop_mirror", "order_details")
    assert run("rebuild_mirror", "order_details")[0] == 0
    mirrored.is_equal(by="redis")


def test_two_do_not_work_on_one_mirror(mirrored: Mirrored) -> None:
    with connect("other") as other, building.alone(other, mirror_of("order_details")):
        for command in ("rebuild_mirror", "verify_mirror", "drop_mirror"):
            assert run(command, "order_details")[0] == 4


def test_a_mirror_that_is_paused_is_not_shown(mirrored: Mirrored, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "PATIENCE_SECONDS", 0.2)
    call_command("pause_delivery", mirror_of("order_details").subscriber, reason="rest", stdout=StringIO())
    mirrored.happen()
    code, text = run("rebuild_mirror", "order_details")
    assert code == 1
    assert "is it paused, or its store away?" in text
    call_command("resume_delivery", mirror_of("order_details").subscriber, stdout=StringIO())
    assert run("rebuild_mirror", "order_details")[0] == 0
    mirrored.serve()
    mirrored.is_equal(by="redis")


def test_a_store_that_is_away_is_no_stack_trace(mirrored: Mirrored) -> None:
    mirrored.backend.kill()
    for command in ("rebuild_mirror", "verify_mirror", "drop_mirror"):
        code, text = run(command, "order_details")
        assert code == 1
        assert text


def test_a_read_model_without_another_store_is_named(settings: Settings, database: None) -> None:
    settings.READ_STORES = {}
    code, text = run("rebuild_mirror", "order_details")
    assert (code, text) == (1, "READ_STORES names no other store for order_details; it does for: none.")


def test_delivery_status_lists_mirrors(mirrored: Mirrored) -> None:
    _, text = run("delivery_status")
    assert all(mirror_of(name).subscriber in text for name in DOCUMENTS)


@pytest.mark.parametrize(
    ("stores", "ids"),
    [
        ({}, []),
        ({"order_details": REDIS}, []),
        ({"order_details": {"BACKEND": "orders_read.stores.postgres"}}, []),
        (["order_details"], ["orders_read.E001"]),
        ({"order_details": "redis"}, ["orders_read.E001"]),
        ({"order_search": REDIS}, ["orders_read.E002"]),
        ({"order_details": {"BACKEND": "orders_read.stores.rediss"}}, ["orders_read.E003"]),
        ({"order_details": {}}, ["orders_read.E003"]),
        ({"order_details": REDIS | {"FALBACK": True}}, ["orders_read.E004"]),
        ({"order_details": {"BACKEND": REDIS["BACKEND"]}}, ["orders_read.E005"]),
        ({"order_details": REDIS | {"TIMEOUT_SECONDS": 1}}, ["orders_read.E006"]),
        ({"order_details": REDIS | {"TIMEOUT_SECONDS": "1"}}, ["orders_read.E006"]),
        ({"order_details": REDIS | {"PARTITIONS": 0}}, ["orders_read.E007"]),
    ],
)
def test_mistakes_in_the_settings_are_found(settings: Settings, stores: Any, ids: list[str]) -> None:
    settings.READ_STORES = stores
    settings.OUTBOX = settings.OUTBOX | {"CHORES": {CHORE: 1}}
    found = check_read_stores(None)
    assert [one.id for one in found] == ids
    assert all(one.hint for one in found)


def test_stores_that_nobody_feeds_are_found(settings: Settings) -> None:
    settings.READ_STORES = {"order_details": REDIS}
    settings.OUTBOX = settings.OUTBOX | {"PUBLISHERS": {}, "CHORES": {}}
    assert [one.id for one in check_read_stores(None)] == ["orders_read.E008", "orders_read.W001"]
