"""Prometheus reads the figures of delivery in one statement, and is told when there are none."""

from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from outbox import bell, metrics
from outbox.lag import LAG, LIMITS
from outbox.metrics import DeliveryCollector
from tests.outbox.test_lag import OLD_MESSAGES, PARK, PAUSE, PUBLISH, deliver, fail, relay
from tests.outbox.test_lag import heart as heart  # noqa: PLC0414 – a fixture
from tests.outbox.test_lag import no_registry as no_registry  # noqa: PLC0414 – a fixture
from tests.outbox.world import World

pytestmark = pytest.mark.usefixtures("no_registry")

ORDER = ("pid", "subscriber", "generation", "state", "status")

Figures = dict[tuple[str, ...], float]


def figures() -> Figures:
    """Scrape, and give each value by the metric's name and the labels' values."""
    registry = CollectorRegistry()
    registry.register(DeliveryCollector())
    text = generate_latest(registry).decode()
    return {
        (sample.name, *(sample.labels[name] for name in ORDER if name in sample.labels)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.usefixtures("heart")
def test_a_subscriber_that_is_well_has_its_figures(world: World) -> None:
    world.commit((1, 1))
    deliver(world)

    found = figures()

    assert found["outbox_scrape_succeeded",] == 1
    assert found["outbox_log_head",] == 1
    assert found["outbox_workers",] == 1
    assert found["outbox_worker_silent_seconds",] < 10
    assert found["outbox_checkpoint", "seen", "1", "live"] == 1
    assert found["outbox_lag_events", "seen", "1", "live"] == 0
    assert found["outbox_lag_seconds", "seen", "1", "live"] == 0
    assert found["outbox_sla_seconds", "seen", "1", "live"] == 10
    assert found["outbox_subscriber_status", "seen", "1", "ok"] == 1
    assert found["outbox_delivery_status", "ok"] == 1


def test_messages_that_nobody_relayed_count(world: World) -> None:
    world.commit((1, 1))
    relay(world)
    world.commit((1, 2))
    world.watcher.execute(OLD_MESSAGES)

    found = figures()

    assert found["outbox_messages",] == 1
    assert found["outbox_lag_events", "seen", "1", "live"] == 2
    assert found["outbox_delivery_status", "not_running"] == 1


def test_dead_letters_pauses_and_failures_have_figures(world: World) -> None:
    for aggregate_id, state in enumerate(["waiting", "parked", "parked", "delivered"]):
        world.ask(PARK, "seen", 1, aggregate_id, state)
    world.ask(PAUSE, "seen", "the index is being rebuilt")
    fail(world, "seen")

    found = figures()

    assert found["outbox_dead_letters", "seen", "1", "waiting"] == 1
    assert found["outbox_dead_letters", "seen", "1", "parked"] == 2
    assert found["outbox_paused", "seen", "1", "live"] == 1
    assert found["outbox_failed_attempts", "seen", "1", "live"] == 3


def test_a_publishers_breaker_has_a_state(world: World) -> None:
    world.ask(PUBLISH, "parcels.example", 1, 0)
    states = [_breaker()]

    fail(world, "parcels.example")
    states.append(_breaker())
    world.watcher.execute(
        "UPDATE delivery_failures SET next_attempt_at = clock_timestamp() + interval '1 minute'"
    )
    states.append(_breaker())

    assert states == ["closed", "half-open", "open"]


def _breaker() -> str:
    (state,) = [
        name[2] for name, value in figures().items() if name[0] == "outbox_publisher_breaker" and value == 1
    ]
    return state


def test_the_errors_of_this_process_s_bell_count(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bell.BELL, "errors", 3)

    assert [value for name, value in figures().items() if name[0] == "outbox_bell_errors_total"] == [3]


def test_a_scrape_is_one_look(world: World) -> None:
    with CaptureQueriesContext(connection) as sent:
        figures()

    assert [query["sql"] for query in sent if query["sql"] not in ("BEGIN", "COMMIT")] == [LIMITS, LAG]


def test_to_register_costs_no_statement(world: World, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        CollectorRegistry(auto_describe=True).register(DeliveryCollector())


def test_a_database_that_is_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(metrics, "look", away)

    found = figures()

    assert found["outbox_scrape_succeeded",] == 0
    assert ("outbox_log_head",) not in found
