"""Tests of what caches may keep and what pages may load."""

import pytest
from django.test import Client

from tests.browsing import browser_of, staff_browser
from tests.clients import anonymous, client_of
from tests.orders_write.shop import customer

pytestmark = pytest.mark.usefixtures("database")


@pytest.mark.parametrize("path", ["/dashboard/", "/orders/", "/orders/new/", "/orders/99/", "/products/"])
def test_a_page_of_one_user_is_kept_by_no_cache(path):
    response = browser_of(customer()).get(path)

    assert response["Cache-Control"] == "private, no-store"


def test_the_way_in_and_out_is_kept_by_no_cache():
    assert "no-store" in Client().get("/login/")["Cache-Control"]
    assert "no-store" in Client().get("/orders/")["Cache-Control"]


def test_answers_of_commands_and_problems_are_kept_by_no_cache():
    client = client_of(customer())

    for response in (
        client.post("/api/v1/orders", {"lines": [], "address": {}}),
        client.get("/api/v1/orders/99"),
        client.get("/api/v1/nothing"),
        anonymous().get("/api/v1/orders"),
    ):
        assert "no-store" in response["Cache-Control"]


def test_the_answer_of_a_question_may_be_asked_for_again():
    assert client_of(customer()).get("/api/v1/orders")["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize(
    "path", ["/", "/orders/", "/revenue/", "/admin/", "/admin/orders_write/user/", "/nothing/"]
)
def test_a_page_runs_and_loads_only_what_comes_from_here(path):
    policy = staff_browser("root", is_superuser=True).get(path)["Content-Security-Policy"]

    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


def test_only_the_documentation_of_the_api_has_styles_within():
    policy = Client().get("/api/docs/")["Content-Security-Policy"]

    assert "style-src 'self' 'unsafe-inline'" in policy
    assert "script-src" not in policy


def test_what_is_no_page_has_no_policy():
    assert "Content-Security-Policy" not in client_of(customer()).get("/api/v1/orders")


def test_the_explanation_of_a_failure_keeps_its_looks(settings):
    settings.DEBUG = True

    assert "Content-Security-Policy" not in Client().get("/nothing/")
