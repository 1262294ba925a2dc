"""Tests of who may speak to the API: by token, or by the session of the pages."""

import time

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from rest_framework.settings import api_settings
from rest_framework.test import APIClient

from orders_write.authentication import PlainTokenAuthentication
from orders_write.models import User
from tests.clients import anonymous

from .api_shop import MUGS
from .shop import list_products

pytestmark = pytest.mark.usefixtures("database")

FIELDS = [field.attname for field in User._meta.concrete_fields]
CREDENTIALS = {"username": "ada", "password": "correct horse"}


@pytest.fixture
def ada(database):
    cache.clear()
    list_products("mug")
    yield User.objects.create_user(**CREDENTIALS)
    cache.clear()


def test_a_password_is_exchanged_for_a_token(ada):
    client = anonymous()

    response = client.post("/api/v1/token", CREDENTIALS)
    client.credentials(HTTP_AUTHORIZATION=f"Token {response.json()['token']}")

    assert response["Cache-Control"] == "no-store"
    assert client.post("/api/v1/orders", MUGS).json()["user_id"] == str(ada.pk)
    assert client.post("/api/v1/token", CREDENTIALS).json() == response.json()


@pytest.mark.parametrize("changes", [{"password": "wrong"}, {"username": "nobody"}])
def test_a_wrong_password_is_refused(ada, changes):
    response = anonymous().post("/api/v1/token", CREDENTIALS | changes)

    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Token")


def test_a_user_who_was_put_out_gets_in_no_more(ada):
    token = anonymous().post("/api/v1/token", CREDENTIALS).json()["token"]
    User.objects.update(is_active=False)
    client = anonymous()
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")

    assert anonymous().post("/api/v1/token", CREDENTIALS).status_code == 401
    assert client.get("/api/v1/orders").status_code == 401


@pytest.mark.parametrize(
    "body", [{}, {"username": "ada"}, {"username": 1, "password": "x"}, CREDENTIALS | {"remember": True}]
)
def test_credentials_have_a_shape_too(ada, body):
    assert anonymous().post("/api/v1/token", body).status_code == 400


def test_guessing_a_password_is_slowed_down(ada):
    guesses = [anonymous().post("/api/v1/token", CREDENTIALS | {"password": str(n)}) for n in range(11)]
    # What a client says about its own address changes nothing.
    elsewhere = anonymous().post("/api/v1/token", CREDENTIALS, HTTP_X_FORWARDED_FOR="192.0.2.1")

    assert [each.status_code for each in guesses] == [401] * 10 + [429]
    assert 0 < int(guesses[-1]["Retry-After"]) <= 60
    assert elsewhere.status_code == 429


def test_guessing_on_the_page_is_slowed_down_and_counts_with_the_api(ada):
    guesses = [
        Client().post("/login/", CREDENTIALS | {"password": "x"})
        if n % 2
        else anonymous().post("/api/v1/token", CREDENTIALS | {"password": "x"})
        for n in range(10)
    ]
    right = Client().post("/login/", CREDENTIALS)

    assert {each.status_code for each in guesses} == {200, 401}
    assert right.status_code == 429
    assert 0 < int(right["Retry-After"]) <= 60
    assert "Too many attempts." in right.content.decode()
    assert "_auth_user_id" not in right.client.session


def test_nobody_locks_a_name_out_for_other_addresses(ada):
    for _ in range(11):
        refused = Client(REMOTE_ADDR="192.0.2.1").post("/login/", CREDENTIALS | {"password": "x"})

    assert refused.status_code == 429
    assert Client(REMOTE_ADDR="192.0.2.2").post("/login/", CREDENTIALS).status_code == 302
    assert anonymous().post("/api/v1/token", CREDENTIALS, REMOTE_ADDR="192.0.2.2").status_code == 200


def test_blanks_around_a_name_make_no_other_name(ada):
    guesses = [Client().post("/login/", {"username": " " * n + "ada", "password": "x"}) for n in range(11)]

    assert guesses[-1].status_code == 429


def test_one_line_of_ipv6_is_one_address(ada):
    for n in range(11):
        refused = Client(REMOTE_ADDR=f"2001:db8::{n:x}").post("/login/", CREDENTIALS | {"password": "x"})

    assert refused.status_code == 429
    assert Client(REMOTE_ADDR="2001:db8:0:1::1").post("/login/", CREDENTIALS).status_code == 302


def test_who_gets_in_has_all_attempts_again(ada):
    answers = [anonymous().post("/api/v1/token", CREDENTIALS).status_code for _ in range(12)]
    pages = [Client().post("/login/", CREDENTIALS).status_code for _ in range(12)]

    assert (set(answers), set(pages)) == ({200}, {302})


def test_one_address_does_not_try_many_names(ada):
    answers = [Client().post("/login/", {"username": f"n{n}", "password": "x"}) for n in range(61)]

    assert [each.status_code for each in answers] == [200] * 60 + [429]


def test_the_address_is_the_one_that_our_own_proxy_tells(ada, monkeypatch):
    monkeypatch.setattr(api_settings, "NUM_PROXIES", 1)
    for _ in range(11):
        refused = Client().post(
            "/login/", CREDENTIALS | {"password": "x"}, HTTP_X_FORWARDED_FOR="9.9.9.9, 192.0.2.1"
        )

    assert refused.status_code == 429
    assert Client().post("/login/", CREDENTIALS, HTTP_X_FORWARDED_FOR="192.0.2.2").status_code == 302


def test_the_admin_has_no_login_of_its_own(ada):
    response = Client().get("/admin/", follow=True)

    assert response.redirect_chain[-1][0] == "/login/?next=%2Fadmin%2F"
    assert Client().post("/admin/login/?next=/admin/", CREDENTIALS)["Location"] == "/login/?next=/admin/"


def test_jobs_are_not_shown_in_the_admin(ada):
    User.objects.update(is_staff=True, is_superuser=True)
    client = Client()
    client.login(**CREDENTIALS)

    assert client.get("/admin/django-rq/").status_code == 404


def test_the_session_of_the_pages_serves_the_api(ada):
    client = APIClient()
    client.login(**CREDENTIALS)

    assert client.post("/api/v1/orders", MUGS).status_code == 201
    assert client.get("/api/v1/orders").status_code == 200


def test_a_session_needs_the_csrf_token(ada):
    client = APIClient(enforce_csrf_checks=True)
    client.login(**CREDENTIALS)

    response = client.post("/api/v1/orders", MUGS)

    assert (response.status_code, response["Content-Type"]) == (403, "application/problem+json")
    assert "CSRF" in response.json()["detail"]


def test_a_token_needs_no_csrf_token(ada):
    client = APIClient(enforce_csrf_checks=True)
    token = client.post("/api/v1/token", CREDENTIALS).json()["token"]
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")

    assert client.post("/api/v1/orders", MUGS).status_code == 201


def test_the_user_of_a_token_is_the_one_in_the_database(ada):
    User.objects.update(customer_number="12347", is_staff=True, email="ada@example.org")
    key = anonymous().post("/api/v1/token", CREDENTIALS).json()["token"]

    user, _ = PlainTokenAuthentication().authenticate_credentials(key)

    expected = User.objects.get()
    assert {name: getattr(user, name) for name in FIELDS} == {
        name: getattr(expected, name) for name in FIELDS
    }


def test_a_connection_that_the_server_has_closed_is_replaced(ada, second_connection):
    key = anonymous().post("/api/v1/token", CREDENTIALS).json()["token"]
    client = anonymous()
    client.credentials(HTTP_AUTHORIZATION=f"Token {key}")
    (pid,) = connection.cursor().execute("SELECT pg_backend_pid()").fetchone()

    second_connection().execute("SELECT pg_terminate_backend(%s)", [pid])
    time.sleep(0.05)

    assert client.get("/api/v1/orders").status_code == 200
