"""Fields of parameters that take one way to write a thing: plain ASCII digits, ISO days, `true` and `false`.

Django's own take what a person might type: blanks, digits of any script, `1_0`, `1e3`, a month by its name.
"""

import re
from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django_filters import Filter  # type: ignore[import-untyped]

LARGEST_PAGE = 200
LARGEST_ID = 2**63 - 1
NUMBER = re.compile(r"[0-9]+")
AMOUNT = re.compile(r"[0-9]+(\.[0-9]+)?")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class NumberField(forms.IntegerField):
    """Digits."""

    def to_python(self, value: Any) -> int | None:
        """Take nothing but digits."""
        _check(NUMBER, value, "Must be a whole number, in digits.")
        return super().to_python(value)


class AmountField(forms.DecimalField):
    """Digits, with a point or without."""

    def to_python(self, value: Any) -> Any:
        """Take nothing but digits and a point."""
        _check(AMOUNT, value, "Must be an amount, like 12.50.")
        return super().to_python(value)


class DayField(forms.DateField):
    """A day as ISO 8601 writes it."""

    def to_python(self, value: Any) -> date | None:
        """Take the one form."""
        _check(DAY, value, "Must be a day, like 2026-01-31.")
        return super().to_python(value)


class TrueOrFalseField(forms.Field):
    """One of the two words of JSON; nothing when it is left out."""

    def to_python(self, value: Any) -> bool | None:
        """Take the two words."""
        if value not in (None, "", "true", "false"):
            raise ValidationError("Must be true or false.")
        return value == "true" if value else None


class MoneyFilter(Filter):  # type: ignore[misc]
    """An amount of money."""

    field_class = AmountField

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_digits": 14, "decimal_places": 4} | options)


class DayFilter(Filter):  # type: ignore[misc]
    """A day of UTC."""

    field_class = DayField


class TrueOrFalseFilter(Filter):  # type: ignore[misc]
    """Yes or no."""

    field_class = TrueOrFalseField


class LimitFilter(Filter):  # type: ignore[misc]
    """How many rows a page holds."""

    field_class = NumberField

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"min_value": 1, "max_value": LARGEST_PAGE, "label": "Rows of a page"} | options)


class IdFilter(Filter):  # type: ignore[misc]
    """An id."""

    field_class = NumberField

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"min_value": 0, "max_value": LARGEST_ID} | options)


def _check(form: re.Pattern[str], value: Any, message: str) -> None:
    if value and not form.fullmatch(value):
        raise ValidationError(message)
