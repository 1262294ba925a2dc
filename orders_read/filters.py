"""What may be asked in an address: a set of parameters becomes the arguments of its query, or an error for each.

A parameter that is not known, or is given twice where once is meant, is an error too: a misspelt filter must not
answer more than was asked for.
"""

from typing import Any

from django import forms
from django.http import QueryDict
from django_filters import (  # type: ignore[import-untyped]
    BooleanFilter,
    CharFilter,
    ChoiceFilter,
    DateFilter,
    Filter,
    FilterSet,
    MultipleChoiceFilter,
)

from orders_write.events import Status

from .models import OrderSearch
from .queries import REVENUE_KEYS, SALES_ORDERS, OrderFilters

LARGEST_PAGE = 200
LONGEST_RANGE_DAYS = 3_660


class InvalidParameters(ValueError):
    """The parameters do not make a question; `errors` names what is wrong with each."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        self.errors = errors
        super().__init__("; ".join(f"{name}: {' '.join(messages)}" for name, messages in errors.items()))


class MoneyFilter(Filter):  # type: ignore[misc]
    """An amount of money."""

    field_class = forms.DecimalField

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_digits": 14, "decimal_places": 4, "min_value": 0} | options)


class LimitFilter(Filter):  # type: ignore[misc]
    """How many rows a page holds."""

    field_class = forms.IntegerField

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"min_value": 1, "max_value": LARGEST_PAGE, "label": "Rows of a page"} | options)


class Parameters(FilterSet):  # type: ignore[misc]
    """The parameters of one question."""

    # Two parameters that are the ends of a range.
    ranges: tuple[tuple[str, str], ...] = ()

    def __init__(self, data: QueryDict | None = None, queryset: Any = None, **options: Any) -> None:
        super().__init__(data, OrderSearch.objects.none() if queryset is None else queryset, **options)

    def question(self) -> dict[str, Any]:
        """Return the arguments of the query; raises InvalidParameters."""
        errors = self._unknown() | self._repeated()
        errors |= {
            name: [str(message) for message in messages] for name, messages in self.form.errors.items()
        }
        given = {name: value for name, value in self.form.cleaned_data.items() if value not in ("", None, [])}
        for low, high in self.ranges:
            if low in given and high in given and given[low] > given[high]:
                errors[high] = [f"This is less than {low}."]
        if errors:
            raise InvalidParameters(errors)
        return self.arguments(given)

    def arguments(self, given: dict[str, Any]) -> dict[str, Any]:
        """Turn what was given into the arguments of the query."""
        return given

    def _unknown(self) -> dict[str, list[str]]:
        return {name: ["There is no such parameter."] for name in self.data if name not in self.filters}

    def _repeated(self) -> dict[str, list[str]]:
        several = {name for name, one in self.filters.items() if isinstance(one, MultipleChoiceFilter)}
        lists = self.data.lists() if isinstance(self.data, QueryDict) else ()
        return {
            name: ["Give this once."] for name, values in lists if len(values) > 1 and name not in several
        }


class OrderParameters(Parameters):
    """Which orders a list shows."""

    status = MultipleChoiceFilter(
        choices=[(status.value, status.value) for status in Status], label="Any of these"
    )
    country = CharFilter(max_length=64)
    customer_number = CharFilter(max_length=32)
    placed_from = DateFilter(label="First day (UTC)")
    placed_to = DateFilter(label="Last day (UTC)")
    total_min = MoneyFilter()
    total_max = MoneyFilter()
    q = CharFilter(max_length=200, label="All of these words, the last may be unfinished")
    after = CharFilter(max_length=64, label="`next` of the page before")
    limit = LimitFilter()
    ranges = (("placed_from", "placed_to"), ("total_min", "total_max"))

    def arguments(self, given: dict[str, Any]) -> dict[str, Any]:
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

    locals()["from"] = DateFilter(
        required=True, label="First day (UTC)"
    )  # a word of Python, but the parameter's name
    to = DateFilter(required=True, label="Last day (UTC)")
    by = ChoiceFilter(choices=[(key, key) for key in REVENUE_KEYS], label="What a row stands for")
    ranges = (("from", "to"),)

    def arguments(self, given: dict[str, Any]) -> dict[str, Any]:
        """Call the ends as the query does."""
        start, end = given.pop("from"), given.pop("to")
        if (end - start).days > LONGEST_RANGE_DAYS:
            raise InvalidParameters({"to": [f"At most {LONGEST_RANGE_DAYS} days can be asked for."]})
        return {"start": start, "end": end} | given


class ProductSalesParameters(Parameters):
    """Which products come first."""

    order_by = ChoiceFilter(choices=[(key, key) for key in SALES_ORDERS])
    after = CharFilter(max_length=128, label="`next` of the page before")
    limit = LimitFilter()


class CatalogueParameters(Parameters):
    """Which products are shown."""

    q = CharFilter(max_length=200, label="Words or parts of words in SKU and name")
    include_retired = BooleanFilter()
    after = CharFilter(max_length=64, label="`next` of the page before")
    limit = LimitFilter()
