"""Tests of the commands over HTTP."""

import json
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType

from orders_write.models import Order, User
from outbox.delivery import drain
from outbox.epoch import current_epoch
from outbox.tokens import CommandToken, parse
from tests import clients
from tests.clients import anonymous, client_of, permit, staff, trusted

from .shop import credit_used, customer, list_products, messages, rows, stock

pytestmark = pytest.mark.usefixtures("database")

ADDRESS = {
    "name": "Ada",
    "street": "1 Rue A",
    "postcode": "75001",
    "city": "Paris",
    "country": "France",
    "email": "ada@example.org",
}
MUGS = {"lines": [{"sku": "mug", "qty": 2}], "address": ADDRESS}


@pytest.fixture
def ada(database):
    list_products("mug", "lamp")
    return client_of(customer("ada"))


@pytest.fixture
def clerk(ada):
    return staff()


def place(client, **changes):
    response = client.post("/api/v1/orders", MUGS | changes)
    assert response.status_code == 201, response.content
    return response.json()


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


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "lines"),
        ({"lines": []}, "address"),
        ({"lines": {}, "address": ADDRESS}, "lines"),
        ({"lines": ["mug"], "address": ADDRESS}, "lines.0"),
        ({"lines": [{"sku": "mug"}], "address": ADDRESS}, "lines.0.qty"),
        ({"lines": [{"sku": 17, "qty": 1}], "address": ADDRESS}, "lines.0.sku"),
        ({"lines": [{"sku": "mug", "qty": "1"}], "address": ADDRESS}, "lines.0.qty"),
        ({"lines": [{"sku": "mug", "qty": 1.0}], "address": ADDRESS}, "lines.0.qty"),
        ({"lines": [{"sku": "mug", "qty": True}], "address": ADDRESS}, "lines.0.qty"),
        ({"lines": [{"sku": "mug", "qty": None}], "address": ADDRESS}, "lines.0.qty"),
        ({"lines": [{"sku": "mug", "qty": 2**31}], "address": ADDRESS}, "lines.0.qty"),
        ({"lines": [{"sku": "mug", "qty": 1, "colour": "red"}], "address": ADDRESS}, "lines.0.colour"),
        ({"lines": [{"sku": "mug", "qty": 1, "price": "1.00001"}], "address": ADDRESS}, "lines.0.price"),
        ({"lines": [{"sku": "mug", "qty": 1, "price": 10**10}], "address": ADDRESS}, "lines.0.price"),
        ({"lines": [{"sku": "mug", "qty": 1, "price": "1e2"}], "address": ADDRESS}, "lines.0.price"),
        ({"lines": [{"sku": "mug", "qty": 1, "price": "NaN"}], "address": ADDRESS}, "lines.0.price"),
        ({"lines": [{"sku": "mug", "qty": 1, "price": True}], "address": ADDRESS}, "lines.0.price"),
        ({"lines": [{"sku": "m\0g", "qty": 1}], "address": ADDRESS}, "lines.0.sku"),
        ({"lines": [{"sku": "mug", "qty": 1}], "address": "Paris"}, "address"),
        ({"lines": [{"sku": "mug", "qty": 1}], "address": {"city": 75}}, "address.city"),
        (MUGS | {"user_id": "ada"}, "user_id"),
        (MUGS | {"user_id": 2**63}, "user_id"),
        (MUGS | {"user_id": -1}, "user_id"),
        (MUGS | {"currency": "EURO"}, "currency"),
        (MUGS | {"occurred_at": 5}, "occurred_at"),
        (MUGS | {"occurred_at": "2999-01-01T00:00:00Z"}, "occurred_at"),
        (MUGS | {"occurred_at": "2026-01-01T00:00:00"}, "occurred_at"),
        (MUGS | {"occurred_at": "1899-12-31T23:59:59Z"}, "occurred_at"),
        (MUGS | {"occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at"),
        (MUGS | {"total": "1.00"}, "total"),
    ],
)
def test_a_wrong_shape_is_refused_with_the_field(ada, body, field):
    response = ada.post("/api/v1/orders", body)

    assert response.status_code == 400
    assert field in [error["field"] for error in response.json()["errors"]]
    assert len(messages()) == 2  # the products


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '"order"',
        "null",
        '{"lines": [], "lines": []}',
        '{"lines": [{"sku": "a", "sku": "b", "qty": 1}]}',
        '{"amount": NaN}',
        '{"amount": -Infinity}',
        '{"amount": 1' + "0" * 5000 + "}",
        '{"a":' * 100 + "1" + "}" * 100,
        "[" * 100_000,
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
    ],
)
def test_what_is_no_json_object_is_refused(ada, text):
    response = ada.generic("POST", "/api/v1/orders", text, content_type="application/json")

    assert response.status_code == 400


@pytest.mark.parametrize(
    ("changes", "field", "detail"),
    [
        ({"address": 5}, "address", "Must be an object, but is a number."),
        ({"address": [1]}, "address", "Must be an object, but is a list."),
        ({"lines": {"sku": "mug"}}, "lines", "Must be a list, but is an object."),
        ({"lines": "mug"}, "lines", "Must be a list, but is a text."),
        ({"lines": [True]}, "lines.0", "Must be an object, but is true or false."),
        ({"address": ADDRESS | {"city": 5}}, "address.city", "Must be a text."),
    ],
)
def test_a_wrong_kind_is_told_in_the_words_of_json(ada, changes, field, detail):
    response = ada.post("/api/v1/orders", MUGS | changes)

    assert response.json()["errors"] == [{"field": field, "detail": detail}]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        *[({"sku": sku}, "sku") for sku in (".", "..", "a/b", " cup", "cup ", "c\tup", "c\u200bup", " ", "")],
        ({"name": " "}, "name"),
        ({"category": "\t"}, "category"),
    ],
)
def test_a_product_has_a_sku_that_can_be_named_and_a_name_that_can_be_seen(clerk, changes, field):
    cup = {"sku": "cup", "name": "Cup", "category": "kitchen", "price": "1"}

    response = clerk.post("/api/v1/products", cup | changes)

    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == [field]


@pytest.mark.parametrize("sku", ["a.b", "...", "85123A", "A B", "%2F", "ü?#"])
def test_a_sku_leads_to_its_product(clerk, sku):
    made = clerk.post("/api/v1/products", {"sku": sku, "name": "N", "category": "c", "price": "1"})
    drain()

    assert clerk.get(made["Location"]).json()["sku"] == sku


def test_an_order_of_long_ago_is_dated_with_four_digits():
    list_products("mug")

    placed = place(trusted(), occurred_at="1900-01-01T00:00:00+00:00")

    assert placed["placed_at"] == "1900-01-01T00:00:00.000000Z"


def test_what_only_a_trusted_source_may_say_is_to_be_left_out(ada):
    response = ada.post("/api/v1/orders", MUGS | {"source": "x"})

    assert response.status_code == 403
    assert response.json()["detail"] == "Only a trusted source may give source. Leave it out."


def test_the_first_order_of_the_readme_can_be_placed_by_a_customer():
    readme = (Path(settings.BASE_DIR) / "README.md").read_text(encoding="utf-8")
    body = re.search(r"-d '(.*?)'", readme, re.DOTALL)
    list_products("85123A")

    response = client_of(customer()).generic(
        "POST", "/api/v1/orders", body[1], content_type="application/json"
    )

    assert response.status_code == 201, response.content


def test_half_of_a_surrogate_pair_is_refused(ada):
    for text in ('{"\\ud800": 1}', '{"lines": [{"sku": "\\ud800", "qty": 1}], "address": {}}'):
        response = ada.generic("POST", "/api/v1/orders", text, content_type="application/json")

        assert response.status_code == 400


@pytest.mark.parametrize("amount", ["5", "5.0", "5.0000", 5])
def test_money_is_a_string_or_a_number(ada, amount):
    order_id = place(ada)["order_id"]

    response = ada.post(f"/api/v1/orders/{order_id}/payments", {"amount": amount, "reference": "p"})

    assert response.status_code == 200


def test_a_fraction_is_taken_exactly(clerk):
    text = '{"price": 0.1000}'

    response = clerk.generic("PUT", "/api/v1/products/mug/price", text, content_type="application/json")

    assert response.json()["price"] == "0.1000"


def test_an_amount_in_the_exponential_form_of_json_is_a_number_too(clerk):
    for text, status in (
        ('{"price": 1.5e1}', 200),
        ('{"price": 1e-9}', 400),
        ('{"price": 1e999999999}', 400),
    ):
        response = clerk.generic("PUT", "/api/v1/products/mug/price", text, content_type="application/json")

        assert response.status_code == status


# 401, 403, 404, 405, 406, 412, 413, 415.

COMMANDS = [
    ("post", "/api/v1/orders"),
    ("post", "/api/v1/orders/{order_id}/payments"),
    ("post", "/api/v1/orders/{order_id}/cancellation"),
]
STAFF_COMMANDS = [
    ("post", "/api/v1/orders/{order_id}/shipment"),
    ("post", "/api/v1/orders/{order_id}/delivery"),
    ("post", "/api/v1/orders/{order_id}/credit-notes"),
    ("post", "/api/v1/credit-notes"),
    ("post", "/api/v1/products"),
    ("put", "/api/v1/products/mug/price"),
    ("post", "/api/v1/products/mug/restocks"),
    ("post", "/api/v1/products/mug/retirement"),
    ("put", "/api/v1/customers/1/credit-limit"),
]


@pytest.mark.parametrize(("method", "path"), COMMANDS + STAFF_COMMANDS)
def test_a_stranger_commands_nothing(ada, method, path):
    response = getattr(anonymous(), method)(path.format(order_id=1), {})

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Token"


@pytest.mark.parametrize(("method", "path"), STAFF_COMMANDS)
def test_what_staff_do_a_customer_may_not(ada, method, path):
    order_id = place(ada)["order_id"]

    response = getattr(ada, method)(path.format(order_id=order_id), {})

    assert response.status_code == 403


@pytest.mark.parametrize(("method", "path"), STAFF_COMMANDS)
def test_who_of_the_staff_may_only_look_commands_nothing(ada, method, path):
    order_id = place(ada)["order_id"]
    looking = client_of(User.objects.create(username="looking", is_staff=True).pk)

    response = getattr(looking, method)(path.format(order_id=order_id), {})

    assert response.status_code == 403


@pytest.mark.parametrize(("method", "path"), STAFF_COMMANDS)
def test_a_permission_without_being_of_the_staff_is_none(ada, method, path):
    permit(User.objects.get(pk=ada.user_id), *clients.COMMANDS)

    assert getattr(ada, method)(path.format(order_id=1), {}).status_code == 403


@pytest.mark.parametrize(
    ("permission", "allowed"),
    [
        ("change_order", {"shipment", "delivery"}),
        ("change_product", {"products", "price", "restocks", "retirement"}),
        ("change_creditaccount", {"credit-limit"}),
        ("add_creditnote", {"credit-notes"}),
    ],
)
def test_each_permission_opens_the_commands_of_its_aggregate(ada, permission, allowed):
    client = client_of(permit(User.objects.create(username="one", is_staff=True), permission).pk)

    opened = {
        path.rsplit("/", 1)[1]
        for method, path in STAFF_COMMANDS
        if getattr(client, method)(path.format(order_id=0), {}).status_code != 403
    }

    assert opened == allowed


def test_staff_act_for_others_only_with_the_permission(ada):
    order_id = place(ada)["order_id"]
    path = f"/api/v1/orders/{order_id}"
    looking = client_of(User.objects.create(username="looking", is_staff=True).pk)

    refused = [
        looking.post(f"{path}/payments", {"amount": "5", "reference": "p"}),
        looking.post(f"{path}/cancellation", {}),
        looking.post("/api/v1/orders", MUGS | {"user_id": ada.user_id}),
        looking.post("/api/v1/orders", MUGS | {"user_id": None}),
    ]
    drain()

    assert [each.status_code for each in refused] == [403] * 4
    assert looking.get(path).status_code == 200
    own = place(looking)["order_id"]
    assert looking.post(f"/api/v1/orders/{own}/cancellation", {}).status_code == 200


@pytest.mark.parametrize(
    "header", ["Token", "Token a b", "Token nonsense", "Bearer x", "Token \xff", "Basic eDp5"]
)
def test_a_malformed_login_is_none(ada, header):
    client = anonymous()
    client.credentials(HTTP_AUTHORIZATION=header)

    assert client.post("/api/v1/orders", MUGS).status_code == 401


def test_an_order_of_somebody_else_does_not_exist(ada):
    order_id = place(ada)["order_id"]
    eve = client_of(customer("eve"))

    paid = eve.post(f"/api/v1/orders/{order_id}/payments", {"amount": "5", "reference": "p"})
    cancelled = eve.post(f"/api/v1/orders/{order_id}/cancellation")
    placed = eve.post("/api/v1/orders", MUGS | {"user_id": ada.user_id})

    assert (paid.status_code, cancelled.status_code, placed.status_code) == (404, 404, 403)
    assert rows("SELECT status FROM orders") == [("confirmed",)]


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


# 422: the rules.


def refused(response):
    assert response.status_code == 422, response.content
    return response.json()["rule"]


def test_a_refusal_names_its_rule_and_tells_what_it_is_about(ada):
    response = ada.post("/api/v1/orders", MUGS | {"lines": [{"sku": "mug", "qty": 101}]})

    assert response.json() == {
        "type": "urn:orders:NotEnoughStock",
        "title": "There is not enough stock.",
        "status": 422,
        "rule": "NotEnoughStock",
        "details": {"sku": "mug", "wanted": 101, "available": 100},
    }


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"lines": []}, "NoLines"),
        ({"lines": [{"sku": "mug", "qty": 0}]}, "QuantityBelowOne"),
        ({"lines": [{"sku": "Mug", "qty": 1}]}, "UnknownProduct"),
        ({"address": {"country": "France"}}, "AddressInvalid"),
        ({"address": {}}, "AddressInvalid"),
    ],
)
def test_an_order_that_a_rule_refuses(ada, changes, rule):
    assert refused(ada.post("/api/v1/orders", MUGS | changes)) == rule


def test_rules_of_payments_and_shipping(ada, clerk):
    path = f"/api/v1/orders/{place(ada)['order_id']}"
    other = f"/api/v1/orders/{place(ada)['order_id']}"

    assert refused(clerk.post(f"{path}/shipment")) == "NotPaid"
    assert (
        refused(ada.post(f"{path}/payments", {"amount": "4.99", "reference": "p"})) == "AmountNotOpenAmount"
    )
    assert ada.post(f"{path}/payments", {"amount": "5", "reference": "p"}).status_code == 200
    assert refused(ada.post(f"{path}/payments", {"amount": "5", "reference": "q"})) == "AlreadyPaid"
    assert refused(ada.post(f"{other}/payments", {"amount": "5", "reference": "p"})) == "ReferenceUsed"
    assert refused(clerk.post(f"{path}/delivery")) == "NotShipped"


def test_rules_of_products_and_credit(ada, clerk):
    mug = {"sku": "mug", "name": "Mug", "category": "kitchen", "price": "1"}

    assert refused(clerk.post("/api/v1/products", mug)) == "ProductExists"
    assert refused(clerk.post("/api/v1/products", mug | {"sku": "cup", "price": "0"})) == "PriceNotPositive"
    assert refused(clerk.post("/api/v1/products/mug/restocks", {"qty": 0})) == "QuantityBelowOne"
    limit = f"/api/v1/customers/{ada.user_id}/credit-limit"
    assert refused(clerk.put(limit, {"limit": "-1"})) == "CreditLimitNegative"
    clerk.put(limit, {"limit": "5"})
    place(ada)
    assert refused(ada.post("/api/v1/orders", MUGS)) == "CreditExceeded"
    assert refused(clerk.put(limit, {"limit": "4"})) == "CreditLimitBelowUse"


def test_what_does_not_fit_into_the_database_is_no_failure(ada, clerk):
    clerk.put("/api/v1/products/mug/price", {"price": "9999999999"})
    clerk.post("/api/v1/products/mug/restocks", {"qty": 2**31 - 1})

    response = ada.post("/api/v1/orders", MUGS | {"lines": [{"sku": "mug", "qty": 2**31 - 1}]})

    assert response.status_code in (400, 422)
