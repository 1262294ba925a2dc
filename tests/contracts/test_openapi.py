"""Tests that the API's schema is right, known to its users, and shown without the internet."""

import re
from pathlib import Path

import pytest
import yaml
from django.contrib.staticfiles import finders
from django.core.management import call_command
from drf_spectacular.renderers import OpenApiYamlRenderer
from drf_spectacular.validation import validate_schema

from config.urls import API
from orders_write.models import User
from tests.clients import schema, trusted

RELEASED = Path(__file__).parent / "openapi.yaml"
PLACEHOLDER = re.compile(r"<\w+:(\w+)>")


def test_the_schema_is_made_without_a_warning(tmp_path):
    call_command("spectacular", "--validate", "--fail-on-warn", file=str(tmp_path / "schema.yaml"))


def test_the_schema_is_valid():
    validate_schema(schema())


def test_the_schema_is_the_released_one():
    """Renew it with `manage.py spectacular --file tests/contracts/openapi.yaml`, and tell its users."""
    assert yaml.safe_load(OpenApiYamlRenderer().render(schema())) == yaml.safe_load(RELEASED.read_text())


def test_every_path_is_in_the_schema():
    wanted = {"/api/v1/" + PLACEHOLDER.sub(r"{\1}", str(each.pattern)) for each in API}

    assert wanted | {"/api/schema/"} >= {*schema()["paths"]} >= wanted


def test_every_operation_says_what_it_is_and_how_it_fails():
    for operations in schema()["paths"].values():
        for operation in operations.values():
            assert operation["operationId"].islower()
            assert "default" in operation["responses"]


@pytest.mark.usefixtures("database")
def test_the_schema_is_served():
    response = trusted().get("/api/schema/")

    assert response.status_code == 200
    assert yaml.safe_load(response.content)["openapi"].startswith("3.1")


@pytest.mark.usefixtures("database")
def test_the_documentation_needs_no_internet(client):
    client.force_login(User.objects.create(username="ada"))

    page = client.get("/api/docs/").content.decode()
    script = client.get("/api/docs/?script=").content.decode()

    assert not re.search(r"(src|href)=\"(https?:)?//", page)
    assert '"validatorUrl": null' in script  # or the schema's address is sent to a validator elsewhere
    for path in re.findall(r"(?:src|href)=\"/static/([^\"]+)\"", page):
        assert finders.find(path), path


@pytest.mark.usefixtures("database")
def test_the_examples_work():
    client = trusted()
    paths = {
        "list_product": ("post", "/api/v1/products"),
        "reprice_product": ("put", "/api/v1/products/85123A/price"),
        "restock_product": ("post", "/api/v1/products/85123A/restocks"),
        "place_order": ("post", "/api/v1/orders"),
        "charge_payment": ("post", "/api/v1/orders/{order_id}/payments"),
        "ship_order": ("post", "/api/v1/orders/{order_id}/shipment"),
        "credit_order": ("post", "/api/v1/orders/{order_id}/credit-notes"),
        "cancel_order": ("post", "/api/v1/orders/{other_id}/cancellation"),
        "record_credit_note": ("post", "/api/v1/credit-notes"),
        "set_credit_limit": ("put", f"/api/v1/customers/{client.user_id}/credit-limit"),
    }
    ids, examples = {}, examples_of_the_schema()
    assert examples.keys() == paths.keys()
    client.post("/api/v1/products", examples["list_product"] | {"sku": "71053"})
    for name, (method, path) in paths.items():
        if name == "place_order":
            client.put("/api/v1/products/85123A/price", {"price": "2.55"})
            client.put("/api/v1/products/71053/price", {"price": "3.39"})
            ids["other_id"] = client.post(path, examples[name]).json()["order_id"]
        response = getattr(client, method)(path.format(**ids), examples[name])

        assert response.status_code in (200, 201), (name, response.content)
        ids |= {"order_id": response.json()["order_id"]} if name == "place_order" else {}


def examples_of_the_schema():
    found = {}
    for operations in schema()["paths"].values():
        for operation in operations.values():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            for example in content.get("examples", {}).values():
                found[operation["operationId"]] = example["value"]
    return found


def test_every_question_takes_a_token_and_says_how_new_its_answer_is():
    for path, operations in schema()["paths"].items():
        question = operations.get("get") if path.startswith("/api/v1/") else None
        if question is None:
            continue
        taken = {each.get("$ref", "").rpartition("/")[2] for each in question["parameters"]}
        assert {"ConsistencyToken", "ConsistencyTokenOfLink", "Prefer"} <= taken, path
        assert {"Consistency-Token", "Read-Model-Lag"} <= question["responses"]["200"]["headers"].keys(), path
        assert question["responses"]["503"]["$ref"].endswith("ReadModelBehind"), path


def test_every_command_answers_a_token():
    for path, operations in schema()["paths"].items():
        for method in operations.keys() & {"post", "put"}:
            if path != "/api/v1/token":
                (answered,) = operations[method]["responses"].keys() & {"200", "201"}
                headers = operations[method]["responses"][answered]["headers"]
                assert "Consistency-Token" in headers, path
