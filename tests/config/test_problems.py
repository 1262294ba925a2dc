"""Tests that a failure of the API is a problem, whatever failed."""

import json
from decimal import Decimal

import django.db
import psycopg
import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404
from django.test import Client, RequestFactory
from rest_framework.test import APIClient

from config import problems
from config.problems import exception_handler
from orders_read import queries
from orders_write import exceptions
from orders_write.exceptions import Refusal, WriteError
from tests.clients import client_of, staff
from tests.orders_write.shop import customer, list_products, place

pytestmark = pytest.mark.usefixtures("database")

PROBLEM = "application/problem+json"
FORM = "application/x-www-form-urlencoded"


def failing(error):
    def fail(*_, **__):
        raise error

    return fail


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RuntimeError("secret"), 500),
        (django.db.OperationalError("the server is gone"), 503),
        (psycopg.InterfaceError("the connection is closed"), 503),
        (psycopg.errors.NumericValueOutOfRange("too large"), 400),
    ],
)
def test_what_nobody_foresaw_is_a_problem_that_tells_nothing(
    monkeypatch, settings, caplog, debug, error, status
):
    settings.DEBUG = debug
    client = client_of(customer())
    monkeypatch.setattr(queries, "orders", failing(error))

    response = client.get("/api/v1/orders")

    assert (response.status_code, response["Content-Type"]) == (status, PROBLEM)
    assert "secret" not in response.content.decode()
    assert ("A request failed" in caplog.text) == (status == 500)
    assert ("Retry-After" in response) == (status == 503)


def test_a_failure_outside_the_views_is_a_problem_too(monkeypatch):
    client = APIClient(raise_request_exception=False)
    monkeypatch.setattr("orders_write.api.PlaceOrder.dispatch", failing(RuntimeError("secret")))
    monkeypatch.setattr("orders_read.api.Orders.dispatch", failing(RuntimeError("secret")), raising=False)

    response = client.post("/api/v1/orders", {})

    assert (response.status_code, response["Content-Type"]) == (500, PROBLEM)


def test_a_host_that_is_not_ours_is_a_problem_in_the_api():
    response = APIClient().get("/api/v1/orders", HTTP_HOST="evil.example")

    assert (response.status_code, response["Content-Type"]) == (400, PROBLEM)


@pytest.mark.parametrize("charset", ["utf-16", "latin-1", "nonsense"])
def test_a_form_in_another_character_set_is_a_bad_request(charset):
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.get("/login/")  # with its cookie, a form's token is looked for in the body

    response = client.generic("POST", "/login/", b"username=ada", content_type=f"{FORM}; charset={charset}")

    assert response.status_code in (400, 403)  # a name that is no character set means UTF-8
    assert "<h1>" in response.content.decode()


def test_every_page_of_a_failure_is_shown_whatever_the_body_is():
    request = RequestFactory().generic("POST", "/orders/", b"\xff", content_type=f"{FORM}; charset=utf-16")
    request.user, request.COOKIES["csrftoken"] = AnonymousUser(), "x" * 32

    for response, status in (
        (problems.bad_request(request, BadRequest()), 400),
        (problems.permission_denied(request, PermissionDenied()), 403),
        (problems.not_found(request, Http404()), 404),
        (problems.server_error(request), 500),
    ):
        assert response.status_code == status


@pytest.mark.parametrize(
    "path", ["/api/v1/orders/99", "/api/v1/products/nothing", "/api/v1/dashboard?user_id=99"]
)
def test_what_is_not_there_is_told_in_one_style_by_questions(path):
    told = client_of(customer()).get(path).json()

    assert told["type"] == "urn:orders:NotFound"
    assert told["title"] in {f"There is no such {kind}." for kind in ("order", "product", "customer")}
    assert set(told["details"].values()) & {"99", "nothing"}


def test_what_is_not_there_is_told_in_the_same_style_by_commands():
    client = client_of(customer())

    asked = client.get("/api/v1/orders/99").json()
    changed = client.post("/api/v1/orders/99/cancellation", {}).json()

    assert asked == changed
    assert client.get("/api/v1/nothing").json()["type"] == "urn:orders:NotFound"


def test_amounts_in_details_have_four_decimals():
    told = json.loads(
        exception_handler(exceptions.CreditExceeded(limit=Decimal(5), used=Decimal("2.5")), {}).content
    )

    assert told["details"] == {"limit": "5.0000", "used": "2.5000"}


def test_no_more_than_a_hundred_errors_are_listed():
    client = client_of(customer())

    told = client.post("/api/v1/orders", {"lines": [{"qty": "x"}] * 200, "address": {}}).json()

    assert len(told["errors"]) == 100
    assert told["detail"].endswith("These are the first 100 errors.")


def test_what_is_allowed_is_told():
    client = client_of(customer())

    assert (
        client.delete("/api/v1/orders").json()["detail"] == "DELETE is not allowed here, but GET, POST, HEAD."
    )
    assert (
        client.generic("POST", "/api/v1/orders", "x=1", content_type=FORM).json()["detail"]
        == "The body must be application/json."
    )


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        (b"{", "The body is not JSON: "),
        (b"\xff", "The body is not UTF-8."),
        (b"[]", "The body must be a JSON object."),
        (b'{"a": 1, "a": 2}', 'The key "a" occurs twice in one object.'),
        (
            b"{" + b"".join(b'"%d":1,' % n for n in range(30_000)) + b'"a":1,"a":1}',
            'The key "a" occurs twice',
        ),
        (b'{"a": 1e1000000000000000000000}', "A number has an exponent that is out of all reason."),
        (b'{"a": NaN}', "NaN is no number of JSON."),
        (b'{"a": 1' + b"0" * 5000 + b"}", "A number must not have more than 100 digits."),
    ],
)
def test_a_body_that_cannot_be_read_is_explained_in_plain_words(text, detail):
    response = client_of(customer()).generic("POST", "/api/v1/orders", text, content_type="application/json")

    assert response.json()["detail"].startswith(detail)


def test_a_number_that_becomes_too_large_names_its_field():
    list_products("mug")
    order, clerk = place(customer()), staff()
    returned = {"lines": [{"line_no": 1, "qty": 1, "price": "9999999999"}]}
    path = f"/api/v1/orders/{order.order_id}/credit-notes"

    first, second = clerk.post(path, returned), clerk.post(path, returned)

    assert (first.status_code, second.status_code) == (201, 400)
    assert [error["field"] for error in second.json()["errors"]] == ["lines"]


def test_every_error_of_the_write_side_has_a_status():
    kinds = [
        each for each in vars(exceptions).values() if isinstance(each, type) and issubclass(each, WriteError)
    ]
    for kind in kinds:
        if kind is not WriteError:
            response = exception_handler(kind(), {})

            assert response.status_code == (422 if issubclass(kind, Refusal) else response.status_code)
            assert 400 <= response.status_code < 500


def test_a_browser_that_asks_for_the_usual_icon_is_led_to_ours(client):
    assert client.get("/favicon.ico")["Location"] == "/static/favicon.svg"
