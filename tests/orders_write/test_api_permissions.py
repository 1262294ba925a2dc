"""Tests of the commands over HTTP: who may do what, 401, 403 and 404."""

import pytest

from orders_write.models import User
from outbox.delivery import drain
from tests import clients
from tests.clients import anonymous, client_of, permit

from .api_shop import MUGS, place
from .shop import customer, rows

pytestmark = pytest.mark.usefixtures("database")


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
