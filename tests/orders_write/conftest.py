"""Clients of the API: a customer, and one of the staff."""

import pytest

from tests.clients import client_of, staff

from .shop import customer, list_products


@pytest.fixture
def ada(database):
    list_products("mug", "lamp")
    return client_of(customer("ada"))


@pytest.fixture
def clerk(ada):
    return staff()
