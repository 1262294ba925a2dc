"""Lag is computed from the tables, messages that are not yet relayed included."""

import json
from io import StringIO

import pytest
from django.core.management import call_command
from pytest_django import Settings

from outbox.delivery import Delivery
from outbox.lag import Status, lags, worst
from tests.outbox.conftest import Subscribe
from tests.outbox.world import FRAGILE, World, seen


@pytest.fixture(autouse=True)
def no_registry(settings: Settings) -> None:
    """Let no projection of the product be missed."""
    settings.OUTBOX = settings.OUTBOX | {"SUBSCRIBERS": []}


def status(*arguments: str) -> tuple[int, str]:
    out, code = StringIO(), 0
    try:
        call_command("delivery_status", *arguments, stdout=out)
    except SystemExit as exit_:
        code = int(str(exit_.code))
    return code, out.getvalue()


def test_with_nothing_to_deliver_all_is_well(world: World) -> None:
    code, text = status()
    assert (code, "seen" in text, "ok" in text) == (0, True, True)


def test_a_message_that_nobody_relayed_counts(world: World) -> None:
    world.commit((1, 1))
    (lag,) = lags()
    assert (lag.events_behind, lag.head, lag.status) == (1, 0, Status.BEHIND)
    assert lag.seconds_behind > 0
    assert status()[0] == 1


def test_an_event_that_nobody_folded_counts(world: World) -> None:
    world.commit((1, 1), (1, 2))
    Delivery(world.worker()).relay.run_once(world.worker())
    world.commit((1, 3))
    (lag,) = lags()
    assert (lag.position, lag.head, lag.events_behind) == (0, 2, 3)


def test_the_age_is_that_of_the_oldest_undelivered_event(world: World, settings: Settings) -> None:
    world.commit((1, 1))
    world.watcher.execute("UPDATE outbox SET recorded_at = clock_timestamp() - interval '2 minutes'")
    world.commit((1, 2))
    (lag,) = lags()
    assert 120 <= lag.seconds_behind < 180
    assert lag.status is Status.STALLED
    assert status()[0] == 2


def test_delivery_brings_the_lag_to_nothing(world: World) -> None:
    world.commit((1, 1))
    Delivery(world.worker()).drain()
    (lag,) = lags()
    assert (lag.events_behind, lag.seconds_behind, lag.position, lag.status) == (0, 0, 1, Status.OK)


def test_a_failing_subscriber_is_shown_with_its_error(world: World, subscribe: Subscribe) -> None:
    subscribe(seen("fragile", FRAGILE))
    world.commit((1, 1), event_type="Poison")
    Delivery(world.worker()).drain()
    code, text = status("--json")
    report = json.loads(text)
    (failing,) = [one for one in report["subscribers"] if one["subscriber"] == "fragile"]
    assert (code, report["status"], failing["status"]) == (2, "failing", "failing")
    assert (failing["attempts"], failing["error"]) == (1, "DivisionByZero: division by zero")
    assert "division by zero" in status()[1]


def test_a_generation_that_is_being_built_is_shown_but_does_not_count(
    world: World, subscribe: Subscribe
) -> None:
    world.commit((1, 1))
    Delivery(world.worker()).drain()
    subscribe(seen(), generation=2, state="building")
    assert [lag.generation for lag in lags()] == [1, 2]
    assert worst(lags()) is Status.OK


def test_a_projection_of_the_settings_without_tables_is_missed(world: World, settings: Settings) -> None:
    settings.OUTBOX = settings.OUTBOX | {"SUBSCRIBERS": ["tests.outbox.test_lag.unbuilt"]}
    code, text = status()
    assert (code, "has no live generation" in text) == (2, True)


unbuilt = seen("unbuilt")
