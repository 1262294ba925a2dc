"""Tests of the commands over HTTP: 422, the rules."""

import pytest

from .api_shop import MUGS, place

pytestmark = pytest.mark.usefixtures("database")


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
