"""Tests of the commands over HTTP: 404, 405, 406, 412, 413 and 415."""

import json

import pytest

from .api_shop import MUGS, place

pytestmark = pytest.mark.usefixtures("database")


@pytest.mark.parametrize("order_id", ["0", "17", str(2**63), "9" * 30])
def test_an_order_that_does_not_exist(clerk, order_id):
    bodies = {
        "payments": {"amount": "5", "reference": "p"},
        "shipment": {},
        "delivery": {},
        "cancellation": {},
        "credit-notes": {"lines": [{"line_no": 1, "qty": 1}]},
    }
    for name, body in bodies.items():
        assert clerk.post(f"/api/v1/orders/{order_id}/{name}", body).status_code == 404


def test_a_product_or_customer_that_does_not_exist(clerk):
    assert clerk.put("/api/v1/products/nothing/price", {"price": "1"}).status_code == 404
    assert clerk.put("/api/v1/products/n%00/price", {"price": "1"}).status_code == 404
    assert clerk.put(f"/api/v1/customers/{2**63}/credit-limit", {"limit": "1"}).status_code == 404
    assert clerk.put("/api/v1/customers/123456789/credit-limit", {"limit": "1"}).status_code == 404
    assert clerk.post("/api/v1/orders", MUGS | {"user_id": "123456789"}).status_code == 404


@pytest.mark.parametrize(
    "path", ["/api/", "/api/v1", "/api/v1/nothing", "/api/v1/orders/", "/api/v1/orders/x", "/api/v2/orders"]
)
def test_a_path_that_leads_nowhere_is_a_problem_too(ada, settings, path):
    for settings.DEBUG in (False, True):
        for method in ("get", "post", "delete"):
            response = getattr(ada, method)(path)

            assert (response.status_code, response["Content-Type"]) == (404, "application/problem+json")


def test_a_method_that_a_path_does_not_have(ada):
    response = ada.delete("/api/v1/orders")

    assert (response.status_code, response["Content-Type"]) == (405, "application/problem+json")
    assert {"GET", "POST"} <= {*response["Allow"].split(", ")}


def test_only_json_is_answered(ada):
    assert ada.post("/api/v1/orders", MUGS, HTTP_ACCEPT="text/html").status_code == 406
    assert ada.post("/api/v1/orders", MUGS, HTTP_ACCEPT="nonsense").status_code == 406


def test_only_json_is_taken(ada):
    for kind in (
        "application/x-www-form-urlencoded",
        "text/plain",
        "multipart/form-data; boundary=x",
        "nonsense",
    ):
        response = ada.generic("POST", "/api/v1/orders", "lines=1", content_type=kind)

        assert (response.status_code, response["Content-Type"]) == (415, "application/problem+json")


def test_a_body_may_not_be_huge(ada):
    text = json.dumps(MUGS | {"padding": "x" * 1_000_000})

    assert ada.generic("POST", "/api/v1/orders", text, content_type="application/json").status_code == 413


def test_options_tell_what_is_there(ada):
    response = ada.options("/api/v1/orders")

    assert response.status_code == 200
    assert "application/json" in response.json()["parses"]


@pytest.mark.parametrize(
    ("tag", "status"),
    [
        ('"v1"', 200),
        ("*", 200),
        ('"v2", "v1"', 200),
        ('"nonsense","v1"', 200),
        ('"v2"', 412),
        ('"v2", "v3"', 412),
        ('W/"v1"', 412),
        ("v1", 412),
        ('"nonsense"', 412),
        ("", 412),
    ],
)
def test_a_command_upon_another_version_is_refused(ada, tag, status):
    order_id = place(ada)["order_id"]

    response = ada.post(f"/api/v1/orders/{order_id}/cancellation", {}, HTTP_IF_MATCH=tag)

    assert response.status_code == status


@pytest.mark.parametrize(
    ("tag", "details"),
    [('"v2"', {"version": 1, "expected": 2}), ('"v2", "v3"', {"version": 1}), ('"nonsense"', {"version": 1})],
)
def test_a_conflict_tells_the_version_and_the_expected_one_if_it_is_ours(ada, tag, details):
    order_id = place(ada)["order_id"]

    response = ada.post(f"/api/v1/orders/{order_id}/cancellation", {}, HTTP_IF_MATCH=tag)

    assert response.json()["details"] == details


def test_where_versions_are_not_compared_none_is_taken(clerk):
    response = clerk.put("/api/v1/products/mug/price", {"price": "1"}, HTTP_IF_MATCH='"v1"')

    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "If-Match")
