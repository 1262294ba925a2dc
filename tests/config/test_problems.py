"""Tests that a failure of the API is a problem, whatever failed."""

import django.db
import psycopg
import pytest
from rest_framework.test import APIClient

from config.problems import exception_handler
from orders_read import queries
from orders_write import exceptions
from orders_write.exceptions import Refusal, WriteError
from tests.clients import client_of
from tests.orders_write.shop import customer

pytestmark = pytest.mark.usefixtures("database")

PROBLEM = "application/problem+json"


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


def test_every_error_of_the_write_side_has_a_status():
    kinds = [
        each for each in vars(exceptions).values() if isinstance(each, type) and issubclass(each, WriteError)
    ]
    for kind in kinds:
        if kind is not WriteError:
            response = exception_handler(kind(), {})

            assert response.status_code == (422 if issubclass(kind, Refusal) else response.status_code)
            assert 400 <= response.status_code < 500
