"""What may be asked in an address: a set of parameters becomes the arguments of its query, or an error for each.

A parameter that is not known, or is given twice where once is meant, is an error too: a misspelt filter must not
answer more than was asked for.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django_filters import (  # type: ignore[import-untyped]
    CharFilter,
    ChoiceFilter,
    FilterSet,
    MultipleChoiceFilter,
)

from orders_write.events import Status
from outbox import tokens

from .parameter_fields import DayFilter, LimitFilter, MoneyFilter, TrueOrFalseFilter
from .queries import REVENUE_KEYS, SALES_ORDERS, OrderFilters

LONGEST_RANGE_DAYS = 3_660


class InvalidParameters(ValueError):
    """The parameters do not make a question; `errors` names what is wrong with each."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        self.errors = errors
        super().__init__("; ".join(f"{name}: {' '.join(messages)}" for name, messages in errors.items()))


class Parameters(FilterSet):  # type: ignore[misc]
    """The parameters of one question."""

    # Two parameters that are the ends of a range.
    ranges: tuple[tuple[str, str], ...] = ()

    @classmethod
    def question(cls, data: QueryDict) -> dict[str, Any]:
        """Return the arguments of the query; raises InvalidParameters."""
        given, errors = _read(fields_of(cls), data)  # type: ignore[arg-type]
        for low, high in cls.ranges:
            if low in given and high in given and given[low] > given[high]:
                errors[high] = [f"This is less than {low}."]
        if errors:
            raise InvalidParameters(errors)
        return cls.arguments(given)

    @classmethod
    def arguments(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Turn what was given into the arguments of the query."""
        return given


@cache
def fields_of(kind: type[Parameters]) -> dict[str, forms.Field]:
    """Return the fields of a set of parameters.

    They hold no state, so all requests share them: a form made for each cost half a millisecond.
    """
    return {name: each.field for name, each in kind.base_filters.items()}


def _read(fields: Mapping[str, forms.Field], data: QueryDict) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Return what was given, by name, and what is wrong with what was given or left out."""
    known = {*fields, tokens.NAME}  # a link may carry a token to any question
    given, errors = {}, {name: ["There is no such parameter."] for name in data if name not in known}
    for name, field in fields.items():
        several = isinstance(field, forms.MultipleChoiceField)
        values = data.getlist(name)
        if len(values) > 1 and not several:
            errors[name] = ["Give this once."]
            continue
        try:
            value = field.clean(values if several else data.get(name))
        except ValidationError as error:
            errors[name] = [str(message) for message in error.messages]
        else:
            if value not in ("", None, []):
                given[name] = value
    return given, errors


class OrderParameters(Parameters):
    """Which orders a list shows."""

    status = MultipleChoiceFilter(
        choices=[(status.value, status.value) for status in Status], label="Any of these"
    )
    country = CharFilter(max_length=64, label="Where it goes")
    customer_number = CharFilter(max_length=32, label="Whose it is")
    placed_from = DayFilter(label="First day (UTC)")
    placed_to = DayFilter(label="Last day (UTC)")
    total_min = MoneyFilter(label="Least total")
    total_max = MoneyFilter(label="Greatest total")
    q = CharFilter(max_length=200, label="All of these words, the last may be unfinished")
    after = CharFilter(max_length=64, label="`next` of the page before")
    limit = LimitFilter()
    ranges = (("placed_from", "placed_to"), ("total_min", "total_max"))

    @classmethod
    def arguments(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Keep paging apart from the filters."""
        paging = {name: given.pop(name) for name in ("after", "limit") if name in given}
        return {"filters": OrderFilters(statuses=tuple(given.pop("status", ())), **given)} | paging


class SearchParameters(Parameters):
    """Which words are looked for."""

    q = CharFilter(max_length=200, required=True, label="Words, an order's id or its reference")
    after = CharFilter(max_length=64, label="`next` of the page before")
    limit = LimitFilter()


class RevenueParameters(Parameters):
    """Which days, and what a row stands for."""

    locals()["from"] = DayFilter(
        required=True, label="First day (UTC)"
    )  # a word of Python, but the parameter's name
    to = DayFilter(required=True, label="Last day (UTC)")
    by = ChoiceFilter(choices=[(key, key) for key in REVENUE_KEYS], label="What a row stands for")
    ranges = (("from", "to"),)

    @classmethod
    def arguments(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Call the ends as the query does."""
        start, end = given.pop("from"), given.pop("to")
        if (end - start).days > LONGEST_RANGE_DAYS:
            raise InvalidParameters({"to": [f"At most {LONGEST_RANGE_DAYS} days can be asked for."]})
        return {"start": start, "end": end} | given


class ProductSalesParameters(Parameters):
    """Which products come first."""

    order_by = ChoiceFilter(choices=[(key, key) for key in SALES_ORDERS], label="Greatest of this first")
    after = CharFilter(max_length=128, label="`next` of the page before")
    limit = LimitFilter()


class CatalogueParameters(Parameters):
    """Which products are shown."""

    q = CharFilter(max_length=200, label="Words or parts of words in SKU and name")
    include_retired = TrueOrFalseFilter(label="Also what is no longer sold")
    after = CharFilter(max_length=64, label="`next` of the page before")
    limit = LimitFilter()
