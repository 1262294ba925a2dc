"""The contract serves other kinds of subscribers than webhooks: here one that takes many events at once."""

import threading

import pytest
from pytest_django import Settings

from outbox.publishers.loop import PublisherLoop
from tests.outbox.publishers import sink as kind
from tests.outbox.publishers.conftest import Shop
from tests.outbox.publishers.sink import Sink


@pytest.fixture
def sink(shop: Shop, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Sink:
    """Give a sink that is served as the publisher `mirror`."""
    settings.OUTBOX = settings.OUTBOX | {"PUBLISHERS": {"sink": f"{kind.__name__}.sink"}}
    monkeypatch.setattr(kind, "sink", Sink())
    shop.world.ask("INSERT INTO publishers (subscriber, kind) VALUES ('mirror', 'sink') RETURNING 1")
    return kind.sink


def serve() -> int:
    """Serve all lanes of this process."""
    loop = PublisherLoop(threading.Event())
    try:
        return loop.run_once()
    finally:
        loop.close()


def test_events_are_handed_over_in_batches(shop: Shop, sink: Sink) -> None:
    shop.log(*((aggregate, 1) for aggregate in range(1, 13)))
    assert serve() == 12
    assert sink.batches == [list(range(1, 11)), [11, 12]]
    assert shop.checkpoint("mirror 0/1") == 12


def test_of_a_batch_that_fails_each_event_is_handed_over_alone(shop: Shop, sink: Sink) -> None:
    sink.refuses = 2
    shop.log((1, 1), (2, 1), (3, 1), (2, 2))
    serve()
    assert sink.documents == {1: 1, 3: 1}
    assert shop.letters() == [(2, "waiting", 1)]
    assert sink.batches[:3] == [[1, 2, 3, 4], [1], [2]]

    sink.refuses = 0
    shop.let_time_pass()
    serve()
    assert sink.documents == {1: 1, 2: 2, 3: 1}


def test_it_begins_where_its_row_says(shop: Shop, sink: Sink) -> None:
    shop.log((1, 1), (1, 2), (1, 3))
    shop.world.ask("UPDATE publishers SET from_position = 2 RETURNING 1")
    serve()
    assert sink.batches == [[3]]
    assert shop.world.ask("SELECT from_position, to_position FROM checkpoints ORDER BY 1") == [(0, 2), (2, 3)]


def test_a_subscriber_that_its_publisher_does_not_know_is_disabled(shop: Shop, sink: Sink) -> None:
    shop.world.ask("INSERT INTO publishers (subscriber, kind) VALUES ('unheard-of', 'sink') RETURNING 1")
    shop.log((1, 1))
    serve()
    assert shop.world.ask("SELECT subscriber FROM publishers WHERE NOT is_enabled") == [("unheard-of",)]
    assert sink.documents == {1: 1}


def test_a_kind_that_no_code_serves_fails_alone(
    shop: Shop, sink: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    shop.world.ask("INSERT INTO publishers (subscriber, kind) VALUES ('alien', 'unknown') RETURNING 1")
    shop.log((1, 1))
    serve()
    assert sink.documents == {1: 1}
    assert "alien 0/1 failed; it is tried again" in caplog.text
