"""Tests of the pages that act: a form, a command, a redirect."""

import threading
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client

from orders_read import showing
from orders_write import pages
from orders_write.commands import ChargePayment, RepriceProduct, RetireProduct, ShipOrder
from orders_write.forms import LONGEST_SKU, typed
from orders_write.models import Order, Payment, User
from outbox.delivery import drain
from tests.browsing import ADDRESS, browser_of, place_by_form, read, staff_browser, text_of
from tests.orders_write.shop import customer, do, list_products, messages, place, stock

NO_QUANTITY = "The quantity must be a whole number of at most nine digits."
TOLD_BEFORE_PLACING = ("The catalogue has no such product.", NO_QUANTITY)

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def _short_wait(monkeypatch):
    monkeypatch.setattr(showing, "WAIT_SECONDS", 0.0)


@pytest.fixture
def ada(database):
    list_products("mug", "lamp")
    drain()
    return browser_of(customer("ada"))


@pytest.fixture
def eve(ada):
    return browser_of(customer("eve"))


@pytest.fixture
def clerk(ada):
    return staff_browser()


def follow(browser, response):
    """Return the text of the page that a redirect leads to, as it is after delivery."""
    assert response.status_code == 302, response.content
    drain()
    return text_of(browser.get(response["Location"]))


def test_placing_leads_to_the_order(ada):
    response = place_by_form(ada, ("mug", 2), ("lamp", 1))

    order = Order.objects.get()
    assert response["Location"] == f"/orders/{order.order_id}/"
    shown = follow(ada, response)
    assert "Thank you, the order is placed." in shown
    assert "Open £7.50" in shown
    assert (order.user_id, order.ship_city, stock("mug")) == (ada.user_id, "Nuneaton", (100, 2))


def test_a_placed_order_leaves_no_draft(ada):
    place_by_form(ada)
    drain()

    assert "No lines yet" in read(ada, "/orders/new/")


def test_sending_the_form_twice_places_one_order(ada):
    first = place_by_form(ada, key="k-1")
    second = place_by_form(ada, key="k-1")

    assert first["Location"] == second["Location"]
    assert Order.objects.count() == 1


def test_sending_an_old_form_with_other_input_is_told(ada):
    place_by_form(ada, ("mug", 1), key="k-1")

    shown = follow(ada, place_by_form(ada, ("mug", 2), key="k-1"))

    assert "This form was sent before, with other input." in shown
    assert Order.objects.count() == 1


def test_the_same_key_of_another_customer_is_another_key(ada, eve):
    place_by_form(ada, key="k-1")
    place_by_form(eve, key="k-1")

    assert sorted(Order.objects.values_list("user_id", flat=True)) == [ada.user_id, eve.user_id]


def test_two_clicks_at_the_same_moment_place_one_order(ada):
    second = Client()
    second.cookies = ada.cookies
    places = []

    def click(browser):
        places.append(place_by_form(browser, key="k-1")["Location"])
        connection.close()

    clicks = [threading.Thread(target=click, args=[browser]) for browser in (ada, second)]
    for thread in clicks:
        thread.start()
    for thread in clicks:
        thread.join()

    assert len(set(places)) == 1
    assert Order.objects.count() == 1


def test_a_twin_that_does_not_end_is_told(ada, monkeypatch):
    def still_running(_request):
        raise pages.StillRunning

    monkeypatch.setattr(pages, "handle", still_running)
    monkeypatch.setattr(pages, "TWIN_WAIT_SECONDS", 0.0)

    assert "is still running" in follow(ada, place_by_form(ada))


@pytest.mark.parametrize(
    ("lines", "changes", "told"),
    [
        ([("mug", 101)], {}, "There is not enough stock: 100 available."),
        ([("gone", 1)], {}, "The product is no longer sold."),
        ([("nope", 1)], {}, "The catalogue has no such product."),
        ([("mug", 0)], {}, "A quantity must be at least one."),
        ([("mug", 10**9 - 1)], {}, "There is not enough stock: 100 available."),
        ([("mug", 10**9)], {}, NO_QUANTITY),
        ([("mug", "9" * 5_000)], {}, NO_QUANTITY),
        ([("mug", "a few")], {}, NO_QUANTITY),
        ([("mug", "-1")], {}, NO_QUANTITY),
        ([("mug", "٣")], {}, NO_QUANTITY),
        ([("\0", 1)], {}, "The catalogue has no such product."),
        ([("m" * 64 + "ug", 1)], {}, "The catalogue has no such product."),
        ([("mug", 1)], {"street": " "}, "This is needed to ship the order."),
        ([("mug", 1)], {"email": "nobody"}, "Enter a valid email address."),
        ([("mug", 1)], {"name": "x" * 201}, "at most 200 characters"),
    ],
)
def test_a_refused_order_shows_its_input_again_and_what_is_wrong(ada, lines, changes, told):
    list_products("gone", "m" * 64)
    do(RetireProduct(sku="gone"))

    response = place_by_form(ada, *lines, **changes)

    assert response["Location"] == "/orders/new/?refused=place"
    assert told in follow(ada, response)
    page = ada.get("/orders/new/").content.decode()
    sent = ADDRESS | changes
    assert f'name="sku" value="{typed(lines[0][0], LONGEST_SKU)}"' in page
    assert f'name="city" value="{sent["city"]}"' in page
    assert told not in page or told in TOLD_BEFORE_PLACING
    assert Order.objects.count() == 0


def test_an_order_without_lines_is_refused(ada):
    response = ada.post("/orders/new/place/", {"key": "k", **ADDRESS})

    assert "An order or credit note needs at least one line." in follow(ada, response)


def test_after_a_refusal_the_corrected_form_is_accepted(ada):
    follow(ada, place_by_form(ada, ("mug", 101), key="k-1"))

    assert "is placed" in follow(ada, place_by_form(ada, ("mug", 100), key="k-2"))


def test_the_price_is_the_catalogues_whatever_was_shown(ada):
    do(RepriceProduct(sku="mug", price=Decimal(3)))

    place_by_form(ada, ("mug", 2), price="0.01")

    assert Order.objects.get().total == 6


def test_a_product_typed_but_not_added_is_ordered_too(ada):
    place_by_form(ada, ("mug", 1), new_sku="lamp", new_qty="2")

    assert Order.objects.get().total == 7.5


def test_lines_are_put_together_one_by_one(ada):
    ada.post("/orders/new/draft/", {"add": "mug"})
    ada.post("/orders/new/draft/", {"add": "mug"})
    ada.post(
        "/orders/new/draft/",
        {"key": "k", "sku": "mug", "qty": "2", "do": "add", "new_sku": "lamp", "new_qty": "3"},
    )

    shown = read(ada, "/orders/new/")
    assert "Mug mug £2.50" in shown
    assert "prices £12.50" in shown

    ada.post("/orders/new/draft/", {"key": "k", "sku": ["mug", "lamp"], "qty": ["2", "3"], "remove": "0"})

    shown = read(ada, "/orders/new/")
    assert "Mug mug" not in shown
    assert "prices £7.50" in shown


@pytest.mark.parametrize("qty", ["9" * 5_000, "٣", "a few", ""])
def test_a_quantity_that_is_no_number_is_marked_before_placing(ada, qty):
    response = ada.post("/orders/new/draft/", {"key": "k", "sku": "mug", "qty": qty})

    assert NO_QUANTITY in follow(ada, response)


def test_looking_for_a_product_keeps_what_was_typed(ada):
    response = ada.post("/orders/new/draft/", {"key": "k", "q": "la mp", **ADDRESS, "do": "search"})

    assert response["Location"] == "/orders/new/?q=la+mp#add"
    assert 'value="12 Griff Lane"' in ada.get(response["Location"]).content.decode()


def test_a_draft_has_an_end(ada):
    many = [f"s{number}" for number in range(pages.MOST_LINES + 1)]

    ada.post("/orders/new/draft/", {"key": "k", "sku": many, "qty": ["1"] * len(many)})

    assert len(ada.session["drafts"]["place"]["lines"]) == pages.MOST_LINES
    assert "at most 400 lines" in read(ada, "/orders/new/")


def test_an_order_of_more_lines_than_a_draft_holds_is_not_cut_but_refused(ada):
    shown = follow(ada, place_by_form(ada, *[("mug", 1)] * 400, new_sku="lamp", new_qty="1"))

    assert "at most 400 lines" in shown
    assert Order.objects.count() == 0


@pytest.mark.parametrize(
    "sent",
    [
        {"add": "\0"},
        {"add": "mug\0"},
        {"new_sku": "\0", "new_qty": "1"},
        {"new_sku": "mug", "new_qty": "9" * 5_000},
        {"new_sku": "mug", "new_qty": "٣"},
        {"key": "k", "sku": "\0", "qty": "1"},
        {"key": "k", "sku": "mug", "qty": "9" * 5_000},
        {"key": "k", "sku": "mug", "qty": "1", "remove": "9" * 5_000},
        {"key": "k", "sku": "mug", "qty": "1", "remove": "²"},
        {"key": "k", "q": "\0"},
        {"key": "k", "q": "9" * 5_000},
        {"key": "k", "name": "a\0b"},
    ],
)
def test_whatever_is_typed_into_a_draft_its_page_can_be_opened(ada, sent):
    response = ada.post("/orders/new/draft/", sent)

    assert len(response["Location"]) < 300
    assert "New order" in follow(ada, response)
    assert "New order" in follow(ada, ada.post("/orders/new/draft/", {"add": "mug"}))
    assert "\0" not in str(ada.session["drafts"])


def test_a_form_in_a_charset_that_makes_lone_surrogates_is_read_without_them(ada):
    part = 'Content-Disposition: form-data; name="add"\r\n\r\nmu\\ud800g'
    sent = f"--x\r\n{part}\r\n--x--\r\n"

    response = ada.generic(
        "POST", "/orders/new/draft/", sent, "multipart/form-data; boundary=x; charset=unicode_escape"
    )

    assert "Mug mug £2.50" in follow(ada, response)


def test_a_draft_of_an_older_session_is_read_whatever_it_holds(ada):
    session = ada.session
    lines = [{"sku": "\0", "qty": "1"}, {"sku": "mug", "qty": "9" * 5_000}]
    session["drafts"] = {"place": {"lines": lines, "values": {}, "errors": {}}}
    session.save()

    assert f"Mug mug {NO_QUANTITY}" in read(ada, "/orders/new/")
    assert "Mug mug £2.50" in follow(ada, ada.post("/orders/new/draft/", {"add": "mug"}))
    assert len(ada.session["drafts"]["place"]["lines"][1]["qty"]) == 10


def test_a_session_keeps_no_more_of_a_field_than_the_field_takes(ada):
    order_id = place(ada.user_id).order_id
    drain()
    much = "x" * 400_000

    ada.post("/orders/new/draft/", {"key": "k", "sku": much, "qty": much, "name": much, "email": much})
    ada.post(f"/orders/{order_id}/cancel/", {"reason": much})
    ada.post(f"/orders/{order_id}/pay/", {"amount": much, "reference": much})

    assert len(str(ada.session["drafts"])) < 2_000
    assert "at most 200 characters" in read(ada, f"/orders/{order_id}/?refused=cancel")


@pytest.mark.parametrize("key", ["a\0", "a\0b", "k" * 5_000])
def test_any_key_is_taken(ada, key):
    placed = place_by_form(ada, key=key)
    again = place_by_form(ada, key=key)
    paid = ada.post(f"{placed['Location']}pay/", {"amount": "5", "key": key})

    assert placed["Location"] == again["Location"]
    assert "The payment is booked." in follow(ada, paid)
    assert Payment.objects.get().reference in (key.replace("\0", ""), "k" * 128)


def test_staff_place_for_a_customer_or_a_guest(clerk, ada):
    place_by_form(clerk, customer_number="N-ada")
    place_by_form(clerk, customer_number="")

    assert list(Order.objects.order_by("order_id").values_list("user_id", flat=True)) == [ada.user_id, None]


def test_staff_are_told_of_a_customer_who_is_not_there(clerk):
    assert "There is no customer with this number." in follow(
        clerk, place_by_form(clerk, customer_number="N-x")
    )


def test_a_customer_cannot_place_for_another(ada, eve):
    place_by_form(eve, customer_number="N-ada")

    assert Order.objects.get().user_id == eve.user_id


def test_an_order_goes_its_way(ada, clerk):
    order_id = place(ada.user_id).order_id

    assert "The payment is booked." in follow(
        ada, ada.post(f"/orders/{order_id}/pay/", {"amount": "5.0000", "method": "card", "key": "k"})
    )
    shipped = {"carrier": "Royal Mail", "tracking_number": "RM1", "key": "k"}
    assert "The order is shipped." in follow(clerk, clerk.post(f"/orders/{order_id}/ship/", shipped))
    assert "The order is delivered." in follow(
        clerk, clerk.post(f"/orders/{order_id}/deliver/", {"key": "k"})
    )
    assert Payment.objects.get().reference == "k"


def test_paying_twice_by_one_form_books_one_payment(ada):
    order_id = place(ada.user_id).order_id
    sent = {"amount": "5", "reference": "R", "key": "k"}

    first, second = (ada.post(f"/orders/{order_id}/pay/", sent) for _ in range(2))

    assert "The payment is booked." in follow(ada, first)
    assert second["Location"] == f"/orders/{order_id}/"
    assert Payment.objects.count() == 1


def test_a_payment_that_is_refused_is_shown_at_its_form(ada):
    paid, order_id = place(ada.user_id).order_id, place(ada.user_id).order_id
    do(ChargePayment(order_id=paid, amount=Decimal(5), reference="R-1"))

    response = ada.post(f"/orders/{order_id}/pay/", {"amount": "5", "method": "transfer", "reference": "R-1"})

    assert response["Location"] == f"/orders/{order_id}/?refused=pay"
    assert "The reference was used before." in follow(ada, response)
    page = ada.get(response["Location"]).content.decode()
    assert 'value="R-1"' in page
    assert '<option value="transfer" selected>' in page
    assert "The reference was used before." not in read(ada, f"/orders/{order_id}/")
    assert "The reference was used before." not in read(ada, f"/orders/{paid}/?refused=pay")


def test_a_wrong_amount_is_told(ada):
    order_id = place(ada.user_id).order_id

    assert "here is the new one" in follow(ada, ada.post(f"/orders/{order_id}/pay/", {"amount": "4"}))
    assert "Correct what is marked." in follow(ada, ada.post(f"/orders/{order_id}/pay/", {"amount": "four"}))


def test_a_customer_cancels(ada):
    order_id = place(ada.user_id).order_id

    shown = follow(ada, ada.post(f"/orders/{order_id}/cancel/", {"reason": "Ordered twice"}))

    assert "The order is cancelled." in shown
    assert "Ordered twice" in shown


def test_what_has_left_cannot_be_cancelled(ada):
    order_id = place(ada.user_id).order_id
    do(ChargePayment(order_id=order_id, amount=Decimal(5), reference="R"))
    do(ShipOrder(order_id=order_id))

    assert "The order is already shipped." in follow(ada, ada.post(f"/orders/{order_id}/cancel/"))


@pytest.mark.parametrize("step", ["ship", "deliver"])
def test_customers_do_not_ship_or_deliver(ada, step):
    order_id = place(ada.user_id).order_id

    assert ada.post(f"/orders/{order_id}/{step}/").status_code == 403
    assert [event for event, _ in messages()] == ["OrderPlaced"]


@pytest.mark.parametrize("step", ["pay", "cancel"])
def test_another_customers_order_is_not_there(ada, eve, step):
    order_id = place(ada.user_id).order_id

    assert eve.post(f"/orders/{order_id}/{step}/", {"amount": "5"}).status_code == 404
    assert [event for event, _ in messages()] == ["OrderPlaced"]


def test_an_order_that_never_was_is_not_there(ada):
    for number in ("0", "99999999999999999999"):
        assert ada.post(f"/orders/{number}/cancel/").status_code == 404


@pytest.mark.parametrize(
    "path", ["/orders/new/draft/", "/orders/new/place/", "/orders/1/pay/", "/orders/1/ship/"]
)
def test_forms_are_taken_from_users_by_post_with_a_token_only(ada, client, path):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = ada.cookies

    assert client.post(path).status_code == 302
    assert ada.get(path).status_code == 405
    assert strict.post(path).status_code == 403
    assert "This form is out of date" in text_of(strict.post(path))


def test_staff_without_the_permission_order_and_change_what_is_their_own_only(ada):
    viewer = browser_of(User.objects.create(username="viewer", is_staff=True).pk)
    order_id = place(ada.user_id).order_id

    for step in ("ship", "deliver"):
        assert viewer.post(f"/orders/{order_id}/{step}/").status_code == 403
    for step in ("pay", "cancel"):
        assert viewer.post(f"/orders/{order_id}/{step}/", {"amount": "5"}).status_code == 404
    assert [event for event, _ in messages()] == ["OrderPlaced"]

    own = place_by_form(viewer, customer_number="N-ada")
    viewer.post(f"{own['Location']}cancel/")

    assert Order.objects.exclude(pk=order_id).get().user_id == viewer.user_id
    assert [event for event, _ in messages()] == ["OrderPlaced", "OrderPlaced", "OrderCancelled"]
