"""Tests of the idempotency key over HTTP: one key, one effect, one answer."""

import json
import threading

import pytest

from tests.clients import client_of, staff

from .api_shop import ADDRESS, MUGS
from .shop import closing_connection, customer, list_products, rows

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def ada(database):
    list_products("mug")
    return client_of(customer("ada"))


def keyed(client, path, body, key="k-1", method="post"):
    return getattr(client, method)(path, body, HTTP_IDEMPOTENCY_KEY=key)


def headers_of(response):
    return {name: value for name, value in response.headers.items() if name != "Idempotent-Replayed"}


def test_a_repeated_request_gets_the_first_answer_byte_for_byte(ada):
    first = keyed(ada, "/api/v1/orders", MUGS)
    second = keyed(ada, "/api/v1/orders", MUGS)

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert headers_of(second) == headers_of(first)
    assert ("Idempotent-Replayed" in first, second["Idempotent-Replayed"]) == (False, "true")
    assert len(rows("SELECT FROM orders")) == 1


def test_the_same_body_written_otherwise_is_the_same_request(ada):
    other = json.dumps(
        {"address": dict(reversed(ADDRESS.items())), "lines": [{"qty": 2, "sku": "mug"}]}, indent=2
    )

    keyed(ada, "/api/v1/orders", MUGS)
    again = ada.generic(
        "POST", "/api/v1/orders", other, content_type="application/json", HTTP_IDEMPOTENCY_KEY="k-1"
    )

    assert again["Idempotent-Replayed"] == "true"


def test_a_refusal_is_repeated_too(ada):
    wish = MUGS | {"lines": [{"sku": "mug", "qty": 101}]}
    clerk = staff()

    first = keyed(ada, "/api/v1/orders", wish)
    clerk.post("/api/v1/products/mug/restocks", {"qty": 100})
    second = keyed(ada, "/api/v1/orders", wish)

    assert (first.status_code, second.status_code) == (422, 422)
    assert second.content == first.content
    assert second["Content-Type"] == "application/problem+json"
    assert second["Idempotent-Replayed"] == "true"


def test_the_answer_stays_when_the_world_moves_on(ada):
    first = keyed(ada, "/api/v1/orders", MUGS)
    path = f"{first['Location']}/cancellation"

    done = ada.post(path, {}, HTTP_IDEMPOTENCY_KEY="k", HTTP_IF_MATCH='"v1"')
    again = ada.post(path, {}, HTTP_IDEMPOTENCY_KEY="k", HTTP_IF_MATCH='"v1"')

    assert (done.status_code, again.status_code) == (200, 200)
    assert again.content == done.content


def test_a_key_used_for_another_body_is_refused(ada):
    keyed(ada, "/api/v1/orders", MUGS)
    other = keyed(ada, "/api/v1/orders", MUGS | {"lines": [{"sku": "mug", "qty": 3}]})

    assert (other.status_code, other.json()["type"]) == (422, "urn:orders:KeyReused")
    assert "rule" not in other.json()
    assert len(rows("SELECT FROM orders")) == 1


def test_a_key_used_for_another_order_is_refused(ada):
    one, two = (ada.post("/api/v1/orders", MUGS)["Location"] for _ in range(2))

    done = keyed(ada, f"{one}/cancellation", {})
    other = keyed(ada, f"{two}/cancellation", {})

    assert (done.status_code, other.status_code) == (200, 422)


def test_each_principal_has_keys_of_their_own(ada):
    eve = client_of(customer("eve"))

    first = keyed(ada, "/api/v1/orders", MUGS)
    second = keyed(eve, "/api/v1/orders", MUGS)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["order_id"] != second.json()["order_id"]


def test_each_route_has_keys_of_its_own(ada):
    placed = keyed(ada, "/api/v1/orders", MUGS)
    paid = keyed(ada, f"{placed['Location']}/payments", {"amount": "5", "reference": "p"})
    cancelled = keyed(ada, f"{placed['Location']}/cancellation", {})

    assert [each.status_code for each in (placed, paid, cancelled)] == [201, 200, 200]
    assert "Idempotent-Replayed" not in cancelled


@pytest.mark.parametrize("key", ["", "x" * 201, "two words", "schön", "tab\t"])
def test_a_key_is_visible_ascii(ada, key):
    response = keyed(ada, "/api/v1/orders", MUGS, key)

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "Idempotency-Key"


def test_a_key_may_have_200_characters(ada):
    assert keyed(ada, "/api/v1/orders", MUGS, "~" * 200).status_code == 201


def test_what_could_not_be_carried_out_is_not_kept(ada):
    missing = keyed(ada, "/api/v1/orders/1/cancellation", {}, "k")
    invalid = keyed(ada, "/api/v1/orders", {"lines": 1}, "k")
    valid = keyed(ada, "/api/v1/orders", MUGS, "k")
    conflict = ada.post(
        f"{valid['Location']}/cancellation", {}, HTTP_IDEMPOTENCY_KEY="c", HTTP_IF_MATCH='"v9"'
    )
    done = ada.post(f"{valid['Location']}/cancellation", {}, HTTP_IDEMPOTENCY_KEY="c", HTTP_IF_MATCH='"v1"')

    assert [each.status_code for each in (missing, invalid, valid, conflict, done)] == [
        404,
        400,
        201,
        412,
        200,
    ]


def test_a_request_whose_key_is_at_work_is_told_so(ada, second_connection):
    other = second_connection()
    scope = f"user:{ada.user_id} POST api:orders"
    other.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s || chr(31) || %s, 0))", (scope, "k-1"))

    waiting = keyed(ada, "/api/v1/orders", MUGS)
    other.rollback()
    done = keyed(ada, "/api/v1/orders", MUGS)

    assert (waiting.status_code, waiting.json()["type"]) == (409, "urn:orders:StillRunning")
    assert done.status_code == 201


def test_requests_under_one_key_at_once_have_one_effect(ada):
    answers, start = [], threading.Barrier(4)

    def send():
        with closing_connection():
            client = client_of(ada.user_id)
            start.wait()
            answers.append(keyed(client, "/api/v1/orders", MUGS))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {each.status_code for each in answers} <= {201, 409}
    assert len({each.content for each in answers if each.status_code == 201}) == 1
    assert len(rows("SELECT FROM orders")) == 1


def test_every_command_takes_a_key(ada):
    clerk = staff()
    path = ada.post("/api/v1/orders", MUGS)["Location"]
    mug = {"sku": "cup", "name": "Cup", "category": "kitchen", "price": "1"}
    commands = [
        ("post", f"{path}/payments", {"amount": "5", "reference": "p"}),
        ("post", f"{path}/shipment", {}),
        ("post", f"{path}/delivery", {}),
        ("post", f"{path}/credit-notes", {"lines": [{"line_no": 1, "qty": 1}]}),
        ("post", "/api/v1/credit-notes", {"lines": [{"sku": "x", "qty": 1, "price": "1"}]}),
        ("post", "/api/v1/products", mug),
        ("put", "/api/v1/products/cup/price", {"price": "2"}),
        ("post", "/api/v1/products/cup/restocks", {"qty": 1}),
        ("post", "/api/v1/products/cup/retirement", {}),
        ("put", f"/api/v1/customers/{ada.user_id}/credit-limit", {"limit": "1"}),
    ]
    for method, address, body in commands:
        first = keyed(clerk, address, body, method=method)
        second = keyed(clerk, address, body, method=method)

        assert first.status_code in (200, 201), first.content
        assert (second.content, second["Idempotent-Replayed"]) == (first.content, "true")
