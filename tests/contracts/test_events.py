"""Tests that events as they were released can be read for ever: the files beside this one are never changed.

A new version of an event gets a file of its own, `<type>.v<n>.json`, and the old one stays.
"""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from orders_write.events import SCHEMA_VERSIONS, event_from, payload_of

RELEASED = sorted((Path(__file__).parent / "events").glob("*.json"))


def parts(file):
    event_type, version, _ = file.name.split(".")
    return event_type, int(version.removeprefix("v"))


@pytest.mark.parametrize("file", RELEASED, ids=lambda file: file.stem)
def test_a_released_event_is_read_and_written_as_it_was(file):
    event_type, _ = parts(file)
    payload = json.loads(file.read_text())

    event = event_from(event_type, payload)

    assert type(event).__name__ == event_type
    assert json.loads(payload_of(event)) == payload


def test_every_event_of_today_is_among_them():
    assert {parts(file) for file in RELEASED} >= set(SCHEMA_VERSIONS.items())


@pytest.mark.parametrize("file", RELEASED, ids=lambda file: file.stem)
def test_money_has_four_decimals_ids_are_strings_and_no_number_is_a_fraction(file):
    def check(value):
        if isinstance(value, list):
            for each in value:
                check(each)
            return
        for name, each in value.items():
            assert not isinstance(each, float), name
            if name.endswith("_id"):
                assert each is None or each.isdigit(), name
            if name in (
                "total",
                "price",
                "amount",
                "paid",
                "returned",
                "open_amount",
                "limit",
                "used",
                "refund",
            ):
                assert isinstance(each, int) or each == str(Decimal(each).quantize(Decimal("0.0001"))), name
            if isinstance(each, list | dict):
                check(each)

    check(json.loads(file.read_text()))


@pytest.mark.parametrize("file", RELEASED, ids=lambda file: file.stem)
def test_no_event_tells_who_or_where_somebody_is(file):
    text = file.read_text()

    assert not any(f'"{name}":' in text for name in ("street", "postcode", "city", "email", "customer_name"))
