"""Tests of the commands over HTTP: which bodies are taken, 400 and 403."""

import re
from pathlib import Path

import pytest
from django.conf import settings

from outbox.delivery import drain
from tests.clients import client_of, trusted

from .api_shop import ADDRESS, MUGS, place
from .shop import customer, list_products, messages

pytestmark = pytest.mark.usefixtures("database")


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


def test_nothing_is_less_than_nothing(clerk):
    note = clerk.post("/api/v1/credit-notes", {"lines": [{"sku": "mug", "qty": 1, "price": "-0.00"}]})

    assert note.json()["lines"][0]["price"] == "0.0000"


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
