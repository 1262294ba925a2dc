"""When a store is away, PostgreSQL answers where it may, at once and visibly; where it may not, the answer is 503."""

import time
from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY

from orders_read import queries
from orders_read.stores import breaker as breakers
from orders_read.stores import choice
from orders_read.stores.positions import position_of_store
from orders_write.models import User
from outbox.connection import connect
from tests.browsing import staff_browser, text_of
from tests.clients import CheckedClient, client_of, staff

from .conftest import Mirrored
from .valkey import Way, way_to

ORDER = "SELECT min(order_id) FROM read_order_details"


@pytest.fixture
def clerk(mirrored: Mirrored) -> CheckedClient:
    """Give somebody who may see every order."""
    return staff()


@pytest.fixture
def order(mirrored: Mirrored) -> str:
    """Give the path of an order."""
    return f"/api/v1/orders/{mirrored.ask(ORDER)[0][0]}"


@pytest.fixture
def way(mirrored: Mirrored) -> Iterator[Way]:
    """Give the way to the store that readers take."""
    with way_to(mirrored.backend.port) as way:
        mirrored.choose(port=int(way.url.rpartition(":")[2].partition("/")[0]))
        yield way


def fallbacks(store: str) -> float:
    labels = {"read_model": "order_details", "store": store}
    return REGISTRY.get_sample_value("read_store_fallbacks_total", labels) or 0.0


def test_an_answer_says_which_store_gave_it(mirrored: Mirrored, clerk: CheckedClient, order: str) -> None:
    response = clerk.get(order)
    assert response["Read-Store"] == mirrored.backend.name
    before = fallbacks(mirrored.backend.name)
    mirrored.backend.kill()
    fallen = clerk.get(order)
    assert fallen["Read-Store"] == "postgres; fallback"
    assert fallen.content == response.content
    assert fallbacks(mirrored.backend.name) == before + 1


def test_where_postgresql_is_chosen_nothing_is_said(
    mirrored: Mirrored, clerk: CheckedClient, order: str, settings: pytest.FixtureRequest
) -> None:
    settings.READ_STORES = {"order_details": {"BACKEND": choice.POSTGRES}}  # type: ignore[attr-defined]
    assert "Read-Store" not in clerk.get(order)


def test_without_fallback_the_answer_is_a_problem(
    mirrored: Mirrored, clerk: CheckedClient, order: str
) -> None:
    mirrored.choose(FALLBACK=False)
    assert clerk.get(order).status_code == 200
    mirrored.backend.kill()
    response = clerk.get(order)
    assert response.status_code == 503
    assert response.json()["type"] == "urn:orders:read-store-unavailable"
    assert response["Retry-After"] == "1"


def test_without_fallback_a_page_says_so(mirrored: Mirrored) -> None:
    mirrored.choose(FALLBACK=False)
    mirrored.backend.kill()
    response = staff_browser("walker").get("/dashboard/")
    assert response.status_code == 503
    assert "cannot be shown at the moment" in text_of(response)


def a_silent_store_slows_one_read(shop: Mirrored, way: Way) -> None:
    """Check that readers wait for a store that answers nothing once, and no longer than 50 ms."""
    ((order_id,),) = shop.ask(ORDER)
    queries.order_details(order_id)
    way.is_silent = True
    took = []
    for _ in range(50):
        began = time.monotonic()
        queries.order_details(order_id)
        took.append(time.monotonic() - began)
    assert sum(one > 0.02 for one in took) == 1
    assert max(took) < 0.1


def test_a_silent_store_slows_one_read_alone(mirrored: Mirrored, way: Way) -> None:
    a_silent_store_slows_one_read(mirrored, way)


def test_a_store_that_answers_again_is_found_by_a_trial(
    mirrored: Mirrored, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breakers, "FIRST_PAUSE_SECONDS", 0.05)
    way.is_silent = True
    assert mirrored.answers()[1] >= {"postgres; fallback"}
    way.is_silent = False
    ends_at = time.monotonic() + 10
    while any(one.breaker.is_open for one in choice.all_chosen()) and time.monotonic() < ends_at:
        mirrored.answers()
    mirrored.is_equal()


def test_a_read_with_a_token_waits_for_the_store_that_answers(
    mirrored: Mirrored, clerk: CheckedClient, order: str
) -> None:
    mirrored.happen()
    token = clerk.get("/api/v1/orders")["Consistency-Token"]
    headers = {"HTTP_CONSISTENCY_TOKEN": token, "HTTP_PREFER": "wait=0"}
    late = clerk.get(order, **headers)
    assert late.status_code == 503
    assert late.json()["details"]["read_model"] == "order_details"
    mirrored.serve()
    assert clerk.get(order, **headers)["Read-Store"] == mirrored.backend.name


def test_a_read_with_a_token_waits_for_postgresql_while_that_answers(
    mirrored: Mirrored, clerk: CheckedClient, order: str
) -> None:
    mirrored.happen()
    mirrored.backend.kill()
    clerk.get(order)
    token = clerk.get("/api/v1/orders")["Consistency-Token"]
    response = clerk.get(order, HTTP_CONSISTENCY_TOKEN=token, HTTP_PREFER="wait=0")
    assert response["Read-Store"] == "postgres; fallback"
    assert position_of_store("order_details") is None


def a_store_that_comes_back_behind_is_not_believed(
    mirrored: Mirrored, clerk: CheckedClient, order: str, way: Way
) -> None:
    way.is_silent = True
    clerk.get(order)
    way.is_silent = False
    mirrored.happen()
    headers = {
        "HTTP_CONSISTENCY_TOKEN": clerk.get("/api/v1/orders")["Consistency-Token"],
        "HTTP_PREFER": "wait=0",
    }
    for one in choice.all_chosen():
        one.breaker._closed_until = 0.0  # the next read is the trial
    assert clerk.get(order, **headers)["Read-Store"] == "postgres; fallback"
    assert clerk.get(order, **headers).status_code == 503
    mirrored.serve()
    assert clerk.get(order, **headers)["Read-Store"] == mirrored.backend.name


def test_a_store_that_comes_back_behind_what_a_token_demands_is_not_believed(
    mirrored: Mirrored, clerk: CheckedClient, order: str, way: Way
) -> None:
    a_store_that_comes_back_behind_is_not_believed(mirrored, clerk, order, way)


def test_who_believes_a_store_that_has_just_come_back_is_caught(
    mirrored: Mirrored, clerk: CheckedClient, order: str, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "requires_database", lambda _: False)
    with pytest.raises(AssertionError):
        a_store_that_comes_back_behind_is_not_believed(mirrored, clerk, order, way)


def test_a_token_that_the_mirror_cannot_reach_is_answered_by_postgresql(
    mirrored: Mirrored, clerk: CheckedClient, order: str
) -> None:
    mirrored.backend.kill()
    mirrored.happen()
    mirrored.serve()
    token = clerk.get("/api/v1/orders")["Consistency-Token"]
    response = clerk.get(order, HTTP_CONSISTENCY_TOKEN=token, HTTP_PREFER="wait=0")
    assert response["Read-Store"] == "postgres; fallback"


def test_what_was_seen_in_a_store_is_seen_in_every_other_read_model(
    mirrored: Mirrored, clerk: CheckedClient, order: str
) -> None:
    token = clerk.get(order)["Consistency-Token"]
    assert clerk.get("/api/v1/orders", HTTP_CONSISTENCY_TOKEN=token, HTTP_PREFER="wait=0").status_code == 200


def test_a_customer_sees_their_own_orders_only(mirrored: Mirrored) -> None:
    User.objects.create(pk=1, username="ada")
    User.objects.create(pk=2, username="eve")
    ((order_id,),) = mirrored.ask("SELECT min(order_id) FROM read_order_details WHERE user_id = 1")
    assert client_of(1).get(f"/api/v1/orders/{order_id}")["Read-Store"] == mirrored.backend.name
    assert client_of(2).get(f"/api/v1/orders/{order_id}").status_code == 404


def test_delivery_status_and_pauses_know_the_mirror(mirrored: Mirrored) -> None:
    with connect("test") as lent:
        lent.execute(
            "INSERT INTO paused_subscribers (subscriber, reason, actor) VALUES (%s, 'rest', 'x')",
            [choice.chosen("order_details").subscriber],  # type: ignore[union-attr]
        )
    mirrored.happen()
    mirrored.serve()
    found = position_of_store("order_details")
    assert found is not None
    assert found.is_paused
    assert found.position < mirrored.ask("SELECT max(position) FROM event_log")[0][0]
