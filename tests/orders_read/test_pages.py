"""Tests of the pages that show."""

import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders_read import consistency, pages, showing
from orders_read.consistency import waiting_places
from orders_write.commands import CancelOrder, ChargePayment, CreditNoteLine, RecordCreditNote, ShipOrder
from orders_write.models import User
from outbox.delivery import drain
from tests.browsing import browser_of, place_by_form, read, staff_browser, text_of
from tests.orders_write.shop import NOON, customer, do, list_products, place, wish

pytestmark = pytest.mark.usefixtures("database")

PAGES = [
    "/",
    "/dashboard/",
    "/orders/",
    "/orders/1/",
    "/orders/new/",
    "/products/",
    "/revenue/",
    "/overview/",
]


@pytest.fixture
def ada(database):
    list_products("mug", "lamp")
    return browser_of(customer("ada"))


@pytest.fixture
def eve(ada):
    return browser_of(customer("eve"))


@pytest.fixture
def clerk(ada):
    return staff_browser()


@pytest.mark.parametrize("path", PAGES)
def test_every_page_asks_who_one_is(client, path):
    response = client.get(path)

    assert (response.status_code, response["Location"]) == (302, f"/login/?next={path}")


def test_logging_in_leads_to_where_one_wanted_to_go(client, ada):
    password = "a long one, known to nobody"
    user = ada.get("/").wsgi_request.user
    user.set_password(password)
    user.save()

    response = client.post(
        "/login/?next=/orders/", {"username": "ada", "password": password, "next": "/orders/"}
    )
    assert response["Location"] == "/orders/"
    assert client.post("/logout/")["Location"] == "/login/"
    assert client.get("/orders/").status_code == 302


def test_a_wrong_password_is_told(client, ada):
    assert "This field is required." in text_of(client.post("/login/", {"username": "ada"}))
    assert "correct username" in text_of(client.post("/login/", {"username": "ada", "password": "wrong"}))


def test_the_dashboard_shows_how_a_customer_stands(ada):
    place(ada.user_id, ("mug", 4))
    drain()

    shown = read(ada, "/")

    assert "Orders 1 4 units" in shown
    assert "Still to pay £10.00" in shown


def test_a_customer_without_orders_is_shown_the_way(ada):
    assert "You have not ordered yet" in read(ada, "/")
    assert "No orders yet" in read(ada, "/orders/")


def test_a_customer_without_orders_is_told_of_the_credit_limit(ada):
    buyer = browser_of(customer("ben", credit_limit="500"))
    drain()

    assert "You may buy on credit, up to £500.00." in read(buyer, "/")


def test_staff_start_with_the_shop(clerk, ada):
    place(ada.user_id, ("mug", 4))
    drain()

    shown = read(clerk, "/")

    assert "1 March 2026, the last 30 days" in shown
    assert "Gross £10.00" in shown
    assert "Newest orders" in shown


def test_an_empty_shop_can_be_looked_at(clerk):
    drain()

    assert "No orders yet" in read(clerk, "/")
    assert "No trade in these days" in read(clerk, "/revenue/")


def test_an_order_shows_lines_sums_and_who_did_what_and_when(ada, clerk):
    order = do(wish(ada.user_id, ("mug", 4), ("lamp", 1)), actor=f"user:{ada.user_id}").state
    paid = ChargePayment(order_id=order.order_id, amount=order.total, reference="R-1", method="card")
    do(paid, actor=f"user:{ada.user_id}", now=NOON + timedelta(minutes=5))
    do(ShipOrder(order_id=order.order_id, carrier="Royal Mail"), actor=f"user:{clerk.user_id}")
    line = CreditNoteLine(sku="mug", qty=1, price=Decimal("2.5"), order_id=order.order_id, order_line_no=1)
    do(RecordCreditNote(user_id=ada.user_id, lines=(line,), country="France"), actor=f"user:{clerk.user_id}")
    drain()

    mine, theirs = read(ada, f"/orders/{order.order_id}/"), read(clerk, f"/orders/{order.order_id}/")

    assert "Mug mug 1 returned 4 £2.50 £10.00" in mine
    assert "Total £12.50 Returned −£2.50 Paid £12.50 To refund £2.50" in mine
    assert "Paid £12.50 1 Mar 2026, 12:05 by you Card, reference R-1" in mine
    assert "Shipped 1 Mar 2026, 12:00 by the shop Royal Mail" in mine
    assert "Paid £12.50 1 Mar 2026, 12:05 by the customer" in theirs
    assert "Shipped 1 Mar 2026, 12:00 by you" in theirs
    assert "Ada 1 Rue A 75001 Paris France" in mine


def test_prices_show_their_third_decimal_only_where_there_is_one(ada):
    list_products("bead", price="0.125")
    order = place(ada.user_id, ("bead", 3), ("mug", 1))
    drain()

    assert "3 £0.125 £0.375" in read(ada, f"/orders/{order.order_id}/")


@pytest.mark.parametrize("staff", [False, True])
def test_an_order_offers_what_its_state_and_the_reader_allow(ada, clerk, staff):
    order_id = place(ada.user_id).order_id
    browser = clerk if staff else ada

    def offered():
        drain()
        page = browser.get(f"/orders/{order_id}/").content.decode()
        return {
            name
            for name in ("pay", "ship", "deliver", "cancel")
            if f'action="/orders/{order_id}/{name}/"' in page
        }

    assert offered() == {"pay", "cancel"}
    do(ChargePayment(order_id=order_id, amount=Decimal(5), reference="R"))
    assert offered() == ({"ship", "cancel"} if staff else {"cancel"})
    do(ShipOrder(order_id=order_id))
    assert offered() == ({"deliver"} if staff else set())


def test_a_cancelled_order_offers_nothing_and_says_why(ada):
    order_id = place(ada.user_id).order_id
    do(CancelOrder(order_id=order_id, reason="Ordered twice"))
    drain()

    shown = read(ada, f"/orders/{order_id}/")

    assert "Next step" not in shown
    assert "Ordered twice" in shown


def test_another_customers_order_is_not_there(ada, eve):
    order_id = place(ada.user_id).order_id
    drain()

    assert "There is nothing here" in read(eve, f"/orders/{order_id}/", expected=404)
    assert f"/orders/{order_id}/" not in eve.get("/orders/").content.decode()
    assert f"/orders/{order_id}/" not in eve.get("/orders/?q=mug").content.decode()
    assert f"/orders/{order_id}/" not in eve.get(f"/orders/?q={order_id}").content.decode()
    assert "You have not ordered yet" in read(eve, "/")


def test_an_order_that_never_was_is_not_there(ada):
    for path in ("/orders/0/", "/orders/99999999999999999999/", "/nowhere/"):
        assert "There is nothing here" in read(ada, path, expected=404)


def test_orders_are_found_by_words_number_and_filters(ada, clerk):
    cheap, dear = place(ada.user_id, ("mug", 1)).order_id, place(ada.user_id, ("lamp", 20)).order_id
    do(CancelOrder(order_id=cheap))
    drain()

    def found(**parameters):
        page = clerk.get("/orders/", parameters).content.decode()
        return [order_id for order_id in (cheap, dear) if f"/orders/{order_id}/" in page]

    assert found() == [cheap, dear]
    assert found(q="lamp") == [dear]
    assert found(q=str(cheap)) == [cheap]
    assert found(q="lamp", status="cancelled") == []
    assert found(status="cancelled") == [cheap]
    assert found(customer_number="N-ada") == [cheap, dear]
    assert found(country="Norway") == []
    assert found(placed_from="2026-03-01", placed_to="2026-03-01") == [cheap, dear]
    assert found(placed_from="2026-03-02") == []
    assert found(total_min="3") == [dear]
    assert found(total_max="3") == [cheap]


def test_filters_stay_in_the_form_and_in_the_address_of_the_next_page(clerk, ada, monkeypatch):
    monkeypatch.setattr(pages, "PAGE_SIZE", 1)
    first, second = place(ada.user_id).order_id, place(ada.user_id).order_id
    drain()

    page = clerk.get("/orders/?country=France&total_min=1").content.decode()
    older = page.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")

    assert 'value="France"' in page
    assert f"/orders/{second}/" in page
    assert f"/orders/{first}/" not in page
    assert "country=France&total_min=1&after=" in older
    assert f"/orders/{first}/" in clerk.get(f"/orders/{older}").content.decode()


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"total_min": "abc"}, "Enter a number."),
        ({"placed_from": "2026-13-01"}, "Enter a valid date."),
        ({"status": "lost"}, "Select a valid choice"),
        ({"placed_from": "2026-02-01", "placed_to": "2026-01-01"}, "This is before the first day."),
        ({"total_min": "2", "total_max": "1"}, "This is less than the least total."),
        ({"q": "a\0b"}, "Null characters are not allowed."),
    ],
)
def test_a_bad_filter_is_told_at_its_field_and_shows_no_orders(clerk, ada, filters, message):
    place(ada.user_id)
    drain()

    shown = read(clerk, "/orders/", **filters)

    assert message in shown
    assert "no orders are shown" in shown
    assert "£5.00" not in shown


@pytest.mark.parametrize("path", ["/orders/?after=x", "/orders/?q=mug&after=1", "/products/?after=%00"])
def test_a_made_up_cursor_is_a_bad_request(clerk, path):
    assert "That request cannot be read" in text_of(clerk.get(path))
    assert clerk.get(path).status_code == 400


def test_a_search_that_finds_nothing_says_so(clerk):
    assert "No order matches" in read(clerk, "/orders/", q="zeppelin")
    assert "No product matches “zeppelin”" in read(clerk, "/products/", q="zeppelin")


def test_the_catalogue_shows_what_can_be_bought(ada):
    place(ada.user_id, ("mug", 30))
    drain()

    assert "Mug mug Kitchen 70 £2.50 Add to order" in read(ada, "/products/", q="mug")


def test_right_after_placing_the_page_waits_and_is_never_not_found(ada, monkeypatch):
    monkeypatch.setattr(showing, "WAIT_SECONDS", 0.05)
    drain()
    where = place_by_form(ada)["Location"]

    waiting = ada.get(where)
    drain()
    there = ada.get(where)

    assert waiting.status_code == 200
    assert '<meta http-equiv="refresh"' in waiting.content.decode()
    assert "still being processed" in text_of(waiting)
    assert "Confirmed" in text_of(there)
    assert "refresh" not in there.content.decode()


def test_right_after_a_step_the_older_order_is_shown_as_being_processed(ada, monkeypatch):
    monkeypatch.setattr(showing, "WAIT_SECONDS", 0.05)
    where = place_by_form(ada)["Location"]
    drain()
    ada.post(f"{where}cancel/")

    waiting = ada.get(where)
    drain()
    there = ada.get(where)

    assert "still being processed" in text_of(waiting)
    assert "Cancelled" in text_of(there)
    assert "still being processed" not in text_of(there)


def test_an_order_that_comes_within_the_wait_is_shown_at_once(ada, monkeypatch):
    where = place_by_form(ada)["Location"]
    # Only the module's own clock: threads that sleep meanwhile, as the bell's does, have no database.
    monkeypatch.setattr(
        consistency, "time", SimpleNamespace(**vars(time) | {"sleep": lambda _seconds: drain()})
    )

    assert "Confirmed" in read(ada, where)


def test_where_enough_wait_already_nobody_else_does(ada, monkeypatch):
    monkeypatch.setattr(showing, "WAIT_SECONDS", 60.0)
    where = place_by_form(ada)["Location"]
    with ExitStack() as taken:
        for _ in range(2):  # a quarter of eight threads
            taken.enter_context(waiting_places())

        assert "still being processed" in read(ada, where)


def test_a_new_order_starts_with_the_last_address(ada):
    place(ada.user_id)
    drain()

    page = ada.get("/orders/new/").content.decode()

    assert 'value="1 Rue A"' in page
    assert 'value="France"' in page


def test_revenue_is_for_staff(ada):
    assert "You may not see this" in read(ada, "/revenue/", expected=403)


@pytest.mark.parametrize(
    ("by", "row"),
    [
        ("day", "Sun 1 Mar 2026 1 4 £10.00 £0.00 £0.00 £10.00"),
        ("month", "March 2026 1 4 £10.00 £0.00 £0.00 £10.00"),
        ("category", "Kitchen 4 £10.00 £0.00 £0.00 £10.00"),
        ("country", "France 1 4 £10.00 £0.00 £0.00 £10.00"),
    ],
)
def test_revenue_is_shown_by_what_one_chooses(ada, clerk, by, row):
    place(ada.user_id, ("mug", 4))
    drain()

    response = clerk.get("/revenue/", {"by": by})

    assert row in text_of(response)
    assert response.content.decode().count("<svg class=") >= 2


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"start": "2026-02-01", "end": "2026-01-01"}, "The last day is before the first."),
        ({"start": "1926-02-01", "end": "2026-01-01"}, "Choose at most ten years."),
        ({"start": "9999-12-31"}, "Ensure this value is less than or equal to 2200-01-01."),
        ({"start": "soon"}, "Enter a valid date."),
        ({"by": "mood"}, "Select a valid choice"),
    ],
)
def test_a_bad_range_is_told(clerk, question, message):
    assert message in read(clerk, "/revenue/", **question)


@pytest.mark.parametrize("start", ["2026-01-01", "2200-01-01", "1900-01-01"])
def test_a_range_may_be_open_at_one_end(clerk, start):
    assert clerk.get("/revenue/", {"start": start}).status_code == 200
    assert clerk.get("/revenue/", {"end": start}).status_code == 200


def test_the_navigation_shows_where_one_is(ada):
    page = ada.get("/orders/").content.decode()

    assert '<a href="/orders/" aria-current="page">' in page
    assert page.count("aria-current") == 1


def test_pages_hold_no_inline_script_or_style(ada, clerk):
    order_id = place(ada.user_id).order_id
    drain()

    for path in ["/", "/orders/", f"/orders/{order_id}/", "/orders/new/?q=mug", "/products/", "/revenue/"]:
        page = clerk.get(path).content.decode()
        assert "<script" not in page
        assert "style=" not in page
        assert "<style" not in page


def test_names_are_escaped(ada):
    list_products("<b>x</b>")
    order_id = place(ada.user_id, ("<b>x</b>", 1)).order_id
    drain()

    for path in [f"/orders/{order_id}/", "/products/", "/orders/new/?q=<b>"]:
        assert "<b>x</b>" not in ada.get(path).content.decode().lower()


def test_pages_that_show_write_nothing_and_read_read_models_only(ada, clerk):
    order_id = place(ada.user_id).order_id
    drain()
    clerk.post("/orders/new/draft/", {"add": "mug"})

    for path in ["/", "/orders/", f"/orders/{order_id}/", "/orders/new/?q=mug", "/products/", "/revenue/"]:
        with CaptureQueriesContext(connection) as captured:
            assert clerk.get(path).status_code == 200
        for query in captured:
            statement = query["sql"].upper()
            assert not statement.startswith(("INSERT", "UPDATE", "DELETE")), statement
            for table in (
                "FROM ORDERS",
                "JOIN ORDERS",
                "ORDER_ITEMS",
                '"PRODUCTS"',
                "FROM PRODUCTS",
            ):
                assert table not in statement, statement


def test_pages_that_show_take_no_posts(ada):
    for path in PAGES:
        assert ada.post(path).status_code == 405


def test_a_failure_of_ours_has_a_page_of_its_own(ada, monkeypatch):
    monkeypatch.setattr(pages.queries, "orders", lambda **_: 1 / 0)
    ada.raise_request_exception = False

    response = ada.get("/orders/")

    assert response.status_code == 500
    assert "Something went wrong on our side" in text_of(response)


def test_times_are_shown_as_they_were_given(ada):
    order_id = do(wish(ada.user_id), now=datetime(2026, 3, 1, 23, 59, tzinfo=UTC)).state.order_id
    drain()

    assert "Placed 1 March 2026, 23:59" in read(ada, f"/orders/{order_id}/")


def test_staff_without_the_permission_see_orders_and_are_offered_no_command(ada):
    viewer = browser_of(User.objects.create(username="viewer", is_staff=True).pk)
    order_id = place(ada.user_id).order_id
    drain()

    page = viewer.get(f"/orders/{order_id}/").content.decode()

    assert "Next step" not in page
    assert 'name="customer_number"' not in viewer.get("/orders/new/").content.decode()


def test_staff_open_a_customers_dashboard_from_an_order(ada, clerk):
    order_id = place(ada.user_id, ("mug", 4)).order_id
    drain()
    dashboard = f"/dashboard/?user_id={ada.user_id}"

    assert f'href="{dashboard}">Customer N-ada</a>' in clerk.get(f"/orders/{order_id}/").content.decode()
    shown = read(clerk, dashboard)
    assert "Customer N-ada Ada, buys since March 2026" in shown
    assert "Still to pay £10.00" in shown
    assert f"/orders/{order_id}/" in clerk.get("/orders/?customer_number=N-ada").content.decode()
    assert "No orders of this customer" in read(clerk, "/dashboard/?user_id=999999")


def test_customers_open_their_own_dashboard_only(ada, eve):
    page = f"/orders/{place(ada.user_id).order_id}/"
    drain()

    assert "Your orders at a glance" in read(ada, f"/dashboard/?user_id={ada.user_id}")
    assert "There is nothing here" in read(eve, f"/dashboard/?user_id={ada.user_id}", expected=404)
    assert "/dashboard/?user_id" not in ada.get(page).content.decode()


@pytest.mark.parametrize("user_id", ["0", "-1", "x", "9" * 30, "9" * 5_000, "\0"])
def test_a_customer_who_never_was_has_no_dashboard(clerk, user_id):
    assert "There is nothing here" in read(clerk, "/dashboard/", expected=404, user_id=user_id)


def test_a_country_that_matches_no_order_is_told_to_be_matched_exactly(clerk, ada):
    place(ada.user_id)
    drain()

    assert "A country is matched exactly" in read(clerk, "/orders/", country="france")
    assert "A country is matched exactly" not in read(clerk, "/orders/", q="zeppelin")
