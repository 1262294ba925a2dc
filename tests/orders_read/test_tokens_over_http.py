"""Tests of G5 over HTTP: with a token no question is answered by older data, and every answer says how new it is."""

import threading
import time
from contextlib import ExitStack, contextmanager

import pytest
from django.conf import settings
from django.db import connection

from config.urls import API
from orders_read.consistency import waiting_places
from orders_read.question_view import QuestionView
from outbox import epoch, pauses, tokens
from outbox.connection import django_connection
from outbox.delivery import drain
from outbox.epoch import current_epoch
from outbox.history import head
from outbox.tokens import CommandToken, ReadToken, parse, sign
from tests.browsing import browser_of, place_by_form, text_of
from tests.clients import client_of, staff
from tests.orders_write.api_shop import MUGS
from tests.orders_write.shop import closing_connection, customer, list_products, place, rows

from .test_consistency import park

pytestmark = pytest.mark.usefixtures("database")

# Of each question that the API knows: its path, and its read model.
QUESTIONS = {
    "orders": ("/api/v1/orders", "order_search"),
    "order": ("/api/v1/orders/1", "order_details"),
    "search": ("/api/v1/search?q=mug", "order_search"),
    "dashboard": ("/api/v1/dashboard", "user_dashboard"),
    "products": ("/api/v1/products", "product_catalogue"),
    "product": ("/api/v1/products/mug", "product_catalogue"),
    "daily_revenue": ("/api/v1/analytics/daily-revenue?from=2026-01-01&to=2026-12-31", "daily_revenue"),
    "product_sales": ("/api/v1/analytics/product-sales", "product_sales"),
}
EVERY_QUESTION = pytest.mark.parametrize(("path", "read_model"), QUESTIONS.values(), ids=[*QUESTIONS])
PLACED_BY = "SELECT count(*) FROM event_log WHERE event_type = 'OrderPlaced' AND position <= %s"


@pytest.fixture
def clerk(database):
    """Let one order be there already."""
    list_products("mug")
    client = staff()
    place(client.user_id)
    drain()
    return client


def order(client):
    """Place an order, and return the token that a reader should see it by."""
    placed = client.post("/api/v1/orders", MUGS)
    assert placed.status_code == 201, placed.content
    return placed["Consistency-Token"]


def get(client, path, token=None, expected=200, prefer=None):
    headers = {"Consistency-Token": token, "Prefer": prefer}
    response = client.get(path, headers={name: text for name, text in headers.items() if text is not None})
    assert response.status_code == expected, response.content
    return response


def deliver():
    with closing_connection():
        drain()


@contextmanager
def later(act, seconds=0.05):
    timer = threading.Timer(seconds, act)
    timer.start()
    try:
        yield
    finally:
        timer.join()


def test_every_question_is_tested_here():
    asked = {each.name for each in API if issubclass(each.callback.view_class, QuestionView)}

    assert asked == {*QUESTIONS, "overview"}  # which shows what its last refresh has seen: test_refreshing


@EVERY_QUESTION
def test_while_nothing_is_delivered_no_question_is_answered_by_older_data(clerk, path, read_model):
    token = order(clerk)

    response = get(clerk, path, token, 503, "wait=0")

    problem = response.json()
    assert problem["type"] == "urn:orders:read-model-behind"
    assert problem["details"] | {"lag_seconds": 0} == {
        "reason": "behind",
        "read_model": read_model,
        "required": None,
        "current": head(),
        "lag": None,
        "lag_seconds": 0,
    }
    assert (response["Retry-After"], response["Preference-Applied"]) == ("1", "wait=0")
    assert "Consistency-Token" not in response


@EVERY_QUESTION
def test_what_is_delivered_is_answered_at_once(clerk, path, read_model):
    token = order(clerk)
    drain()

    response = get(clerk, path, token, prefer="wait=0")

    assert parse(response["Consistency-Token"]) == ReadToken(current_epoch(), head())
    assert float(response["Read-Model-Lag"]) == 0
    assert "Read-Model-Stale" not in response


@EVERY_QUESTION
def test_what_comes_within_the_wait_is_answered(clerk, path, read_model):
    token = order(clerk)

    with later(deliver):
        assert parse(get(clerk, path, token)["Consistency-Token"]).position == head()


@EVERY_QUESTION
def test_a_paused_read_model_says_so_at_once(clerk, path, read_model):
    pauses.pause([read_model], "a test", "test")
    token = order(clerk)
    drain()
    begun = time.monotonic()

    response = get(clerk, path, token, 503, "wait=5")

    assert time.monotonic() - begun < 2
    details = response.json()["details"]
    assert (details["reason"], details["required"], details["current"]) == ("paused", head(), head() - 1)
    assert (details["lag"], response["Retry-After"]) == (1, "10")
    assert details["lag_seconds"] > 0


@EVERY_QUESTION
def test_a_parked_aggregate_says_so_at_once_and_only_to_who_asks_for_it(clerk, path, read_model):
    token, other = order(clerk), order(clerk)
    drain()
    park(head() - 1, read_model)
    begun = time.monotonic()

    response = get(clerk, path, token, 503, "wait=5")

    assert time.monotonic() - begun < 2
    assert response.json()["details"]["reason"] == "parked"
    assert get(clerk, path, other)["Read-Model-Parked"] == "1"
    assert get(clerk, path)["Read-Model-Parked"] == "1"


@EVERY_QUESTION
def test_who_is_lenient_gets_an_older_answer_and_keeps_the_token(clerk, path, read_model):
    token = order(clerk)

    response = get(clerk, path, token, prefer="handling=lenient, wait=0")

    assert (response["Read-Model-Stale"], response["Consistency-Token"]) == ("true", token)
    assert response["Preference-Applied"] == "wait=0, handling=lenient"
    assert float(response["Read-Model-Lag"]) > 0


def test_a_lenient_reader_is_not_taken_back(clerk):
    token = order(clerk)
    older = get(clerk, "/api/v1/orders", token, prefer="handling=lenient, wait=0")

    get(clerk, "/api/v1/orders", older["Consistency-Token"], 503, "wait=0")


def test_without_a_token_nobody_waits_and_the_answer_says_how_old_it_may_be(clerk):
    order(clerk)

    response = get(clerk, "/api/v1/orders", prefer="wait=5, handling=lenient")

    assert len(response.json()["results"]) == 1
    assert parse(response["Consistency-Token"]).position == head()
    assert float(response["Read-Model-Lag"]) > 0
    assert not {"Read-Model-Stale", "Preference-Applied"} & {*response.headers}


def test_an_answer_that_is_not_sent_again_and_one_that_nothing_is_there_are_as_new(clerk):
    for response in (
        clerk.get("/api/v1/orders/1", HTTP_IF_NONE_MATCH="*"),
        get(clerk, "/api/v1/orders/77", expected=404),
    ):
        assert parse(response["Consistency-Token"]).position == head()
        assert response["Read-Model-Lag"] == "0.000"


def test_a_link_carries_a_token_as_a_parameter(clerk):
    token = order(clerk)

    assert get(clerk, f"/api/v1/orders?consistency_token={token}&limit=5", prefer="wait=0", expected=503)
    drain()
    assert get(clerk, f"/api/v1/orders/1?consistency_token={token}")


def test_all_tokens_that_are_sent_count(clerk):
    early = order(clerk)
    drain()
    late = order(clerk)

    get(clerk, "/api/v1/orders", f"{early}, {late}", 503, "wait=0")
    get(clerk, f"/api/v1/orders?consistency_token={late}", early, 503, "wait=0")
    get(clerk, "/api/v1/orders", f"{early},{early}")


def test_a_command_waits_for_nothing(clerk):
    token = order(clerk)

    assert clerk.post("/api/v1/orders", MUGS, HTTP_CONSISTENCY_TOKEN=token).status_code == 201


@pytest.mark.parametrize("token", ["", "nonsense", "c.1.2.3~x", ",", "é"])
def test_a_forged_token_is_refused(clerk, token):
    problem = get(clerk, "/api/v1/orders", token.encode().decode("latin-1"), 400).json()

    assert (problem["type"], problem["errors"][0]["field"]) == (
        "urn:orders:InvalidToken",
        "Consistency-Token",
    )
    assert get(clerk, f"/api/v1/orders?consistency_token={token}", expected=400)


def test_a_token_of_another_installation_is_refused(clerk):
    foreign = tokens.signing.Signer(key="another", salt="consistency", sep="~")

    get(clerk, "/api/v1/orders", foreign.sign("r.1.1"), 400)


def test_a_token_from_before_a_restore_is_refused_and_the_same_command_answers_a_new_one(clerk):
    headers = {"HTTP_IDEMPOTENCY_KEY": "one"}
    first = clerk.post("/api/v1/orders", MUGS, **headers)["Consistency-Token"]
    drain()
    django_connection().execute(
        "UPDATE log_epoch SET system_identifier = '1'"
    )  # as a restored one has another
    epoch._known.clear()

    problem = get(clerk, "/api/v1/orders", first, 400).json()
    replayed = clerk.post("/api/v1/orders", MUGS, **headers)

    assert problem["type"] == "urn:orders:ForeignToken"
    assert replayed["Idempotent-Replayed"] == "true"
    assert replayed["Consistency-Token"] != first
    get(clerk, "/api/v1/orders", replayed["Consistency-Token"])


def test_a_token_of_what_never_happened_is_refused(clerk):
    for token in (ReadToken(current_epoch(), head() + 1), CommandToken(current_epoch(), 10**9, 0)):
        problem = get(clerk, "/api/v1/orders", sign(token), 400).json()

        assert problem["type"] == "urn:orders:FutureToken"


def test_only_some_may_wait_at_once(clerk):
    token = order(clerk)
    with ExitStack() as taken:
        for _ in range(2):  # a quarter of eight threads
            taken.enter_context(waiting_places())
        begun = time.monotonic()

        response = get(clerk, "/api/v1/orders", token, 503)

        assert time.monotonic() - begun < 1
        assert response.json()["details"]["reason"] == "busy"
        assert get(clerk, "/api/v1/orders", token, prefer="handling=lenient")["Read-Model-Stale"] == "true"


@contextmanager
def orders_coming_in_all_the_time(client):
    """Place and deliver an order before and after each statement of this connection."""

    def order_and_deliver():
        with closing_connection():
            place(client.user_id)
            drain()

    def meanwhile(execute, *statement):
        for act in (order_and_deliver, None, order_and_deliver):
            if act is None:
                result = execute(*statement)
            else:
                other = threading.Thread(target=act)
                other.start()
                other.join()
        return result

    with connection.execute_wrapper(meanwhile):
        yield


def test_the_token_of_an_answer_tells_exactly_what_was_shown(clerk):
    with orders_coming_in_all_the_time(clerk):
        response = get(clerk, "/api/v1/orders")

    shown = parse(response["Consistency-Token"]).position
    assert [(len(response.json()["results"]),)] == rows(PLACED_BY, shown)
    assert shown < head()


def test_the_token_of_an_answer_is_that_of_its_own_read_model(clerk):
    pauses.pause(["order_details"], "a test", "test")
    order(clerk)
    drain()

    listed, shown = get(clerk, "/api/v1/orders"), get(clerk, "/api/v1/orders/1")

    positions = [parse(one["Consistency-Token"]).position for one in (listed, shown)]
    assert positions == [head(), head() - 1]


def test_reads_are_monotonic_across_read_models(clerk):
    pauses.pause(["order_details"], "a test", "test")
    order(clerk)
    drain()
    listed = get(clerk, "/api/v1/orders")
    newest = listed.json()["results"][0]["order_id"]

    get(clerk, f"/api/v1/orders/{newest}", expected=404)
    get(clerk, f"/api/v1/orders/{newest}", listed["Consistency-Token"], 503)
    pauses.resume(["order_details"], "test")
    drain()
    get(clerk, f"/api/v1/orders/{newest}", listed["Consistency-Token"])


def test_every_command_answers_a_token_by_which_its_effect_is_seen(clerk):
    token = clerk.put("/api/v1/products/mug/price", {"price": "3"})["Consistency-Token"]
    get(clerk, "/api/v1/products/mug", token, 503, "wait=0")
    drain()

    assert get(clerk, "/api/v1/products/mug", token).json()["price"] == "3.0000"
    limited = clerk.put(f"/api/v1/customers/{clerk.user_id}/credit-limit", {"limit": "10"})
    drain()
    seen = get(clerk, "/api/v1/dashboard", limited["Consistency-Token"])
    assert seen.json()["credit_limit"] == "10.0000"


# Pages.


@pytest.fixture
def ada(clerk, monkeypatch):
    monkeypatch.setattr("orders_read.showing.WAIT_SECONDS", 0.02)
    return browser_of(customer("ada"))


def test_a_form_leaves_a_cookie_that_no_script_can_read(ada):
    cookie = place_by_form(ada).cookies["consistency_token"]

    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", 300)
    assert cookie["secure"] == (settings.SESSION_COOKIE_SECURE or "")
    assert isinstance(parse(cookie.value), CommandToken)


def test_the_same_form_sent_twice_leaves_the_same_token(ada):
    sent = {"key": "one", "name": "Ada"}

    first, second = (place_by_form(ada, **sent).cookies["consistency_token"].value for _ in range(2))

    assert first == second


def test_every_page_waits_for_the_readers_last_step_then_shows_what_there_is(ada):
    place_by_form(ada)
    for path in ("/", "/orders/", "/orders/new/"):
        page = ada.get(path)

        assert "still being processed" in text_of(page), path
        assert page["Read-Model-Stale"] == "true"
    assert '<meta http-equiv="refresh" content="1">' in ada.get("/orders/").content.decode()
    assert "refresh" not in ada.get("/orders/new/").content.decode(), "what is typed would be lost"
    drain()
    page = ada.get("/orders/")
    assert "still being processed" not in text_of(page)
    assert "refresh" not in page.content.decode()


def test_a_page_looks_again_the_later_the_longer_it_is_behind(ada):
    placed = place_by_form(ada)
    django_connection().execute("UPDATE outbox SET recorded_at = now() - interval '20 s'")
    assert 'content="10">' in ada.get("/orders/").content.decode()
    django_connection().execute("UPDATE outbox SET recorded_at = now() - interval '1 h'")
    assert 'content="30">' in ada.get(placed["Location"]).content.decode()


def test_a_page_says_that_it_takes_longer_where_somebody_must_do_something(ada):
    pauses.pause(["order_search"], "a test", "test")
    where = place_by_form(ada)["Location"]
    drain()

    page = ada.get("/orders/")

    assert "longer than usual" in text_of(page)
    assert 'content="10">' in page.content.decode()
    assert "Confirmed" in text_of(ada.get(where)), "the order's own read model goes on"


def test_an_order_that_is_held_is_on_its_way(ada):
    pauses.pause(["order_details"], "a test", "test")
    where = place_by_form(ada)["Location"]
    drain()

    page = text_of(ada.get(where))

    assert "is on its way to this page" in page
    assert "longer than usual" in page


def test_a_link_to_a_page_carries_a_token(ada):
    token = order(client_of(ada.user_id))

    assert "still being processed" in text_of(ada.get(f"/orders/?consistency_token={token}"))
    assert "cannot be read" in text_of(ada.get("/orders/?consistency_token=nonsense"))


def test_a_cookie_from_before_a_restore_is_dropped_without_a_word(ada):
    place_by_form(ada)
    django_connection().execute("UPDATE log_epoch SET system_identifier = '1'")
    epoch._known.clear()

    page = ada.get("/orders/")

    assert page.status_code == 200
    assert "still being processed" not in text_of(page)
    assert page.cookies["consistency_token"]["max-age"] == 0
    assert "consistency_token" not in ada.get("/orders/").cookies


@pytest.mark.parametrize("path", ["/logout/", "/admin/logout/"])
def test_logging_out_leaves_no_token_to_the_next_person(ada, path):
    place_by_form(ada)

    assert ada.post(path).cookies["consistency_token"]["max-age"] == 0


def test_an_action_of_the_admin_leaves_a_token_too(clerk):
    browser = browser_of(clerk.user_id)
    chosen = {"action": "reprice", "_selected_action": ["1"], "run": "1", "price": "4"}

    response = browser.post("/admin/orders_write/product/", chosen)

    assert response.status_code == 302, response.content
    assert isinstance(parse(response.cookies["consistency_token"].value), CommandToken)
