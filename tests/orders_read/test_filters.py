"""Tests of the parameters: what they become, and what is refused."""

from datetime import date
from decimal import Decimal

import pytest
from django.http import QueryDict

from orders_read.filters import (
    CatalogueParameters,
    InvalidParameters,
    OrderParameters,
    ProductSalesParameters,
    RevenueParameters,
    SearchParameters,
    fields_of,
)
from orders_read.parameters import DashboardParameters
from orders_read.queries import OrderFilters


def question(kind, text):
    return kind.question(QueryDict(text))


def refused(kind, text):
    with pytest.raises(InvalidParameters) as caught:
        question(kind, text)
    return set(caught.value.errors)


def test_nothing_given_asks_for_everything():
    assert question(OrderParameters, "") == {"filters": OrderFilters()}
    assert question(OrderParameters, "country=&q=&total_min=") == {"filters": OrderFilters()}
    assert question(CatalogueParameters, "") == question(ProductSalesParameters, "") == {}


def test_parameters_become_filters():
    asked = question(
        OrderParameters,
        "status=paid&status=shipped&country=France&customer_number=12&placed_from=2026-01-02&placed_to=2026-01-02"
        "&total_min=0.5&total_max=2&q=red+mug&after=1-1&limit=7",
    )

    assert asked == {
        "filters": OrderFilters(
            statuses=("paid", "shipped"),
            country="France",
            customer_number="12",
            placed_from=date(2026, 1, 2),
            placed_to=date(2026, 1, 2),
            total_min=Decimal("0.5"),
            total_max=Decimal(2),
            q="red mug",
        ),
        "after": "1-1",
        "limit": 7,
    }


@pytest.mark.parametrize(("text", "expected"), [("true", True), ("false", False)])
def test_a_choice_of_two_is_one_of_two_words(text, expected):
    assert question(CatalogueParameters, f"include_retired={text}") == {"include_retired": expected}


def test_requests_share_their_fields():
    assert fields_of(OrderParameters) is fields_of(OrderParameters)


def test_a_range_of_days_is_named_by_from_and_to():
    asked = question(RevenueParameters, "from=2026-01-01&to=2026-01-31&by=country")

    assert asked == {"start": date(2026, 1, 1), "end": date(2026, 1, 31), "by": "country"}


@pytest.mark.parametrize(
    ("kind", "text", "names"),
    [
        (OrderParameters, "statos=paid", {"statos"}),
        (OrderParameters, "status=sent", {"status"}),
        (OrderParameters, "status=paid&status=sent", {"status"}),
        (OrderParameters, "country=France&country=Spain", {"country"}),
        (OrderParameters, "limit=0", {"limit"}),
        (OrderParameters, "limit=201", {"limit"}),
        (OrderParameters, "limit=ten", {"limit"}),
        (OrderParameters, "total_min=NaN", {"total_min"}),
        (OrderParameters, "total_min=-1", {"total_min"}),
        (OrderParameters, "total_min=0.00001", {"total_min"}),
        (OrderParameters, "total_min=2&total_max=1", {"total_max"}),
        (OrderParameters, "placed_from=2026-02-30", {"placed_from"}),
        (OrderParameters, "placed_from=2026-02-02&placed_to=2026-02-01", {"placed_to"}),
        (OrderParameters, "q=%00", {"q"}),
        (OrderParameters, "statos=paid&limit=0", {"statos", "limit"}),
        (SearchParameters, "", {"q"}),
        (SearchParameters, "q=" + "x" * 201, {"q"}),
        (RevenueParameters, "", {"from", "to"}),
        (RevenueParameters, "from=2026-01-02&to=2026-01-01", {"to"}),
        (RevenueParameters, "from=1900-01-01&to=2026-01-01", {"to"}),
        (RevenueParameters, "from=2026-01-01&to=2026-01-01&by=week", {"by"}),
        (ProductSalesParameters, "order_by=colour", {"order_by"}),
        (CatalogueParameters, "retired=1", {"retired"}),
        (CatalogueParameters, "include_retired=maybe", {"include_retired"}),
        (CatalogueParameters, "include_retired=1", {"include_retired"}),
        (OrderParameters, "limit=1_0", {"limit"}),
        (OrderParameters, "limit=+5", {"limit"}),
        (OrderParameters, "limit=5.0", {"limit"}),
        (OrderParameters, "limit=%205", {"limit"}),
        (OrderParameters, "limit=%D9%A5", {"limit"}),
        (OrderParameters, "limit=" + "9" * 5000, {"limit"}),
        (OrderParameters, "total_min=1e3", {"total_min"}),
        (OrderParameters, "total_min=1_0", {"total_min"}),
        (OrderParameters, "total_min=%D9%A5", {"total_min"}),
        (OrderParameters, "placed_from=01/02/2026", {"placed_from"}),
        (OrderParameters, "placed_from=2026-1-2", {"placed_from"}),
        (OrderParameters, "placed_from=0000-01-01", {"placed_from"}),
        (DashboardParameters, "user_id=-1", {"user_id"}),
        (DashboardParameters, "user_id=9223372036854775808", {"user_id"}),
    ],
)
def test_what_makes_no_question_is_refused_by_name(kind, text, names):
    assert refused(kind, text) == names
