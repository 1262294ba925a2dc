"""Tests of the commands over HTTP: what each one does."""

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType

from orders_write.models import Order, User
from outbox.delivery import drain
from outbox.epoch import current_epoch
from outbox.tokens import CommandToken, parse
from tests.clients import trusted

from .api_shop import ADDRESS, MUGS, place
from .shop import credit_used, rows, stock

pytestmark = pytest.mark.usefixtures("database")


def test_placing_an_order_answers_it_whole(ada):
    response = ada.post(
        "/api/v1/orders", {"lines": [{"sku": "mug", "qty": 2}, {"sku": "lamp", "qty": 1}], "address": ADDRESS}
    )

    order = response.json()
    assert response.status_code == 201
    assert response["Location"] == f"/api/v1/orders/{order['order_id']}"
    assert response["ETag"] == '"v1"'
    assert order["user_id"] == str(ada.user_id)
    assert (order["status"], order["total"], order["open_amount"], order["units"]) == (
        "confirmed",
        "7.5000",
        "7.5000",
        3,
    )
    assert [(line["sku"], line["qty"], line["amount"]) for line in order["lines"]] == [
        ("mug", 2, "5.0000"),
        ("lamp", 1, "2.5000"),
    ]
    assert order["customer"] == {
        name: ADDRESS[name] for name in ("name", "email", "street", "postcode", "city")
    }
    assert stock("mug") == (100, 2)


def test_the_answer_is_what_the_read_model_will_show(ada):
    placed = place(ada, address=ADDRESS | {"email": ""})
    drain()

    document = ada.get(f"/api/v1/orders/{placed['order_id']}").json()

    del document["timeline"]
    assert document == placed


def test_the_token_names_the_message(ada):
    response = ada.post("/api/v1/orders", MUGS)

    ((message_id,),) = rows("SELECT max(message_id) FROM outbox")
    assert parse(response["Consistency-Token"]) == CommandToken(current_epoch(), message_id, 0)


def test_an_order_goes_its_way(ada, clerk):
    order_id = place(ada)["order_id"]
    path = f"/api/v1/orders/{order_id}"

    paid = ada.post(f"{path}/payments", {"amount": "5.00", "reference": "p-1", "method": "card"})
    shipped = clerk.post(f"{path}/shipment", {"carrier": "Post", "tracking_number": "T1"})
    delivered = clerk.post(f"{path}/delivery")

    assert [
        (each.status_code, each.json()["status"], each["ETag"]) for each in (paid, shipped, delivered)
    ] == [
        (200, "paid", '"v2"'),
        (200, "shipped", '"v3"'),
        (200, "delivered", '"v4"'),
    ]
    assert paid.json()["open_amount"] == "0.0000"
    assert stock("mug") == (98, 0)


def test_an_order_is_cancelled(ada):
    order_id = place(ada)["order_id"]

    response = ada.post(f"/api/v1/orders/{order_id}/cancellation", {"reason": "Ordered twice"})

    assert (response.status_code, response.json()["status"]) == (200, "cancelled")
    assert stock("mug") == (100, 0)


def test_goods_come_back_at_the_price_paid(ada, clerk):
    order_id = place(ada)["order_id"]
    ada.post(f"/api/v1/orders/{order_id}/payments", {"amount": 5, "reference": "p-1"})

    response = clerk.post(f"/api/v1/orders/{order_id}/credit-notes", {"lines": [{"line_no": 1, "qty": 1}]})

    note = response.json()
    assert response.status_code == 201
    assert (note["user_id"], note["total"], note["country"]) == (str(ada.user_id), "2.5000", "France")
    assert (note["lines"][0]["order_id"], note["lines"][0]["order_line_no"]) == (order_id, 1)
    drain()
    assert ada.get(f"/api/v1/orders/{order_id}").json()["returned"] == "2.5000"


@pytest.mark.parametrize(
    ("line", "rule"),
    [({"line_no": 1, "qty": 3}, "ReturnExceedsSold"), ({"line_no": 2, "qty": 1}, "UnknownOrderLine")],
)
def test_more_than_was_sold_does_not_come_back(ada, clerk, line, rule):
    order_id = place(ada)["order_id"]

    response = clerk.post(f"/api/v1/orders/{order_id}/credit-notes", {"lines": [line]})

    assert (response.status_code, response.json()["rule"]) == (422, rule)


def test_a_credit_note_may_name_no_order(ada, clerk):
    response = clerk.post(
        "/api/v1/credit-notes",
        {
            "user_id": str(ada.user_id),
            "lines": [{"sku": "DISCOUNT", "qty": 1, "price": 10}],
            "country": "France",
        },
    )

    note = response.json()
    assert (response.status_code, note["total"], note["lines"][0]["category"]) == (201, "10.0000", "unlisted")


def test_a_credit_note_of_several_orders(ada, clerk):
    order_id = place(ada)["order_id"]
    named = {"sku": "mug", "qty": 1, "price": "2.5", "order_id": order_id, "order_line_no": 1}

    response = clerk.post(
        "/api/v1/credit-notes",
        {"user_id": ada.user_id, "lines": [named, {"sku": "DISCOUNT", "qty": 1, "price": "1"}]},
    )

    assert (response.status_code, response.json()["total"]) == (201, "3.5000")


def test_a_product_is_listed_repriced_restocked_and_retired(clerk):
    body = {"sku": "Cup 1", "name": "Cup", "category": "kitchen", "price": "1.255", "on_hand": 3}

    listed = clerk.post("/api/v1/products", body)
    repriced = clerk.put("/api/v1/products/Cup%201/price", {"price": 1.5})
    restocked = clerk.post("/api/v1/products/Cup%201/restocks", {"qty": 4})
    retired = clerk.post("/api/v1/products/Cup%201/retirement")

    assert (listed.status_code, listed["Location"]) == (201, "/api/v1/products/Cup%201")
    assert (listed.json()["price"], listed.json()["available"]) == ("1.2550", 3)
    assert (repriced.json()["price"], restocked.json()["available"], retired.json()["retired"]) == (
        "1.5000",
        7,
        True,
    )
    assert retired["ETag"] == '"v4"'
    drain()
    assert clerk.get(listed["Location"]).json() == retired.json()


def test_a_credit_limit_lets_a_customer_buy_on_credit(ada, clerk):
    response = clerk.put(f"/api/v1/customers/{ada.user_id}/credit-limit", {"limit": "100"})

    assert response.json() == {
        "user_id": str(ada.user_id),
        "limit": "100.0000",
        "used": "0.0000",
        "version": 1,
    }
    assert place(ada)["on_credit"] is True
    assert credit_used(ada.user_id) == 5


def test_staff_order_for_a_customer_or_a_guest(ada, clerk):
    ordered = place(clerk, user_id=str(ada.user_id), address={"country": "France"})
    guest = place(clerk, user_id=None)

    assert (ordered["user_id"], ordered["customer"], guest["user_id"]) == (str(ada.user_id), None, None)


def test_a_trusted_source_agrees_prices_and_names_its_orders(ada):
    importer = trusted()

    order = place(
        importer,
        lines=[{"sku": "mug", "qty": 1, "price": "1.125", "line_no": 7}],
        source="fair",
        reference="F-1",
        currency="GBP",
        occurred_at="2026-01-02T03:04:05+01:00",
        user_id=ada.user_id,
    )

    assert (order["total"], order["currency"], order["source"], order["reference"]) == (
        "1.1250",
        "GBP",
        "fair",
        "F-1",
    )
    assert order["placed_at"] == "2026-01-02T02:04:05.000000Z"
    assert order["lines"][0]["line_no"] == 7


def test_staff_with_the_permission_are_a_trusted_source(ada, clerk):
    kind = ContentType.objects.get_for_model(Order)
    permission, _ = Permission.objects.get_or_create(content_type=kind, codename="trusted_source")
    User.objects.get(pk=clerk.user_id).user_permissions.add(permission)

    assert place(clerk, reference="F-1")["reference"] == "F-1"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"lines": [{"sku": "mug", "qty": 1, "price": "0.01"}]}, "lines.0.price"),
        ({"occurred_at": "2026-01-02T03:04:05Z"}, "occurred_at"),
        ({"reference": "F-1"}, "reference"),
        ({"source": "fair"}, "source"),
        ({"currency": "EUR"}, "currency"),
    ],
)
def test_nobody_else_does(ada, clerk, given, named):
    for client in (ada, clerk):
        response = client.post("/api/v1/orders", MUGS | given)

        assert response.status_code == 403
        assert named in response.json()["detail"]
    assert rows("SELECT FROM orders") == []


# 400: the shape.
