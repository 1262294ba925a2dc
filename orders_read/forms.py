"""What a reader may ask of a page; whoever asks for nothing gets everything, or the latest month of trade.

The API's parameters (`filters`) are stricter: there an unknown or an empty one is an error. A form sends empty fields,
an address may carry whatever a link added to it, and the errors are read by people.
"""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator

from orders_write.events import Status

from .queries import OrderFilters

LONGEST_DAYS = 3_660
YEARS = [MinValueValidator(date(1900, 1, 1)), MaxValueValidator(date(2200, 1, 1))]
STATUSES = [("", "Any"), *((status.value, status.value.capitalize()) for status in Status)]
GROUPINGS = [("day", "Day"), ("month", "Month"), ("category", "Category"), ("country", "Country")]
RANGES = [
    ("placed_from", "placed_to", "This is before the first day."),
    ("total_min", "total_max", "This is less than the least total."),
]


class OrderListForm(forms.Form):
    """Which orders a list shows."""

    q = forms.CharField(max_length=200, required=False)
    status = forms.ChoiceField(choices=STATUSES, required=False)
    country = forms.CharField(max_length=64, required=False)
    customer_number = forms.CharField(max_length=32, required=False)
    placed_from = forms.DateField(required=False)
    placed_to = forms.DateField(required=False)
    total_min = forms.DecimalField(max_digits=14, decimal_places=4, required=False)
    total_max = forms.DecimalField(max_digits=14, decimal_places=4, required=False)

    def clean(self) -> dict[str, Any]:
        """Refuse a range that ends before it starts."""
        for low, high, message in RANGES:
            least, most = self.cleaned_data.get(low), self.cleaned_data.get(high)
            if least is not None and most is not None and least > most:
                self.add_error(high, message)
        return self.cleaned_data

    def given(self) -> dict[str, Any]:
        """Return the filters that were filled in."""
        return {name: value for name, value in self.cleaned_data.items() if value not in ("", None)}

    def filters(self) -> OrderFilters:
        """Return them as the query takes them."""
        given = self.given()
        status = given.pop("status", None)
        return OrderFilters(**given, statuses=(status,) if status else ())


class DashboardForm(forms.Form):
    """Whose dashboard is shown; the reader's own when nobody is named."""

    user_id = forms.IntegerField(min_value=1, max_value=2**63 - 1, required=False)


class CatalogueForm(forms.Form):
    """Which products a list shows."""

    q = forms.CharField(max_length=200, required=False)
    include_retired = forms.BooleanField(required=False)


class RevenueForm(forms.Form):
    """A range of days, both ends included, and what the table's rows are."""

    start = forms.DateField(required=False, validators=YEARS)
    end = forms.DateField(required=False, validators=YEARS)
    by = forms.ChoiceField(choices=GROUPINGS, required=False)

    def clean_by(self) -> str:
        """Group by day when nothing was chosen."""
        return self.cleaned_data["by"] or "day"

    def clean(self) -> dict[str, Any]:
        """Refuse a range that ends before it starts, or is longer than ten years."""
        start, end = self.cleaned_data.get("start"), self.cleaned_data.get("end")
        if start and end and start > end:
            self.add_error("end", "The last day is before the first.")
        elif start and end and (end - start).days > LONGEST_DAYS:
            self.add_error("end", "Choose at most ten years.")
        return self.cleaned_data

    def range(self, first: date, last: date) -> tuple[date, date]:
        """Return the chosen days; an end that is left open follows from the other, or from the suggested days."""
        start, end, length = self.cleaned_data["start"], self.cleaned_data["end"], last - first
        if start and not end:
            return start, min(max(last, start + length), start + timedelta(LONGEST_DAYS))
        end = end or last
        return start or end - length, end


def first_errors(form: forms.Form) -> dict[str, str]:
    """Return the first error of each field."""
    return {name: str(errors[0]) for name, errors in form.errors.items()}
