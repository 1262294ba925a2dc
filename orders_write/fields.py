"""Fields that take exactly what they name: no number for a text, no text for a quantity, no fraction rounded.

They stand beside DRF's own, which guess: "3" for 3, 3 for "3", 1.0 for 1.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

SMALLEST_INTEGER, LARGEST_INTEGER = -(2**31), 2**31 - 1
LARGEST_ID = 2**63 - 1
FIRST_YEAR = 1900
DIGITS = re.compile(r"[0-9]{1,19}")
AMOUNT = re.compile(r"-?[0-9]{1,10}(\.[0-9]{1,4})?")


class Bodies(serializers.ListSerializer[Any]):
    """A list of objects."""

    default_error_messages = {"list": "Must be a list, but is {found}."}

    def to_internal_value(self, data: Any) -> Any:
        """Read the list."""
        if not isinstance(data, list):
            self.fail("list", found=json_word(data))
        return super().to_internal_value(data)


class Body(serializers.Serializer[Any]):
    """The object that a command is sent as; a field that it does not know is a mistake, not noise.

    All requests share the fields of a class, which hold no state: copying them took most of the time of reading.
    """

    default_error_messages = {
        "unknown": "There is no such field.",
        "object": "Must be an object, but is {found}.",
    }

    class Meta:
        list_serializer_class = Bodies

    @property
    def fields(self) -> Any:
        """Return the fields of this kind of body."""
        return _fields(type(self))

    def to_internal_value(self, data: Any) -> Any:
        """Read the object; raises ValidationError for an unknown field."""
        if not isinstance(data, Mapping):
            self.fail("object", found=json_word(data))
        if unknown := [name for name in data if name not in self.fields]:
            message = self.error_messages["unknown"]
            raise serializers.ValidationError({name: [message] for name in unknown})
        return super().to_internal_value(data)


@cache
def _fields(kind: type[Body]) -> Any:
    return super(Body, kind()).fields


class Text(serializers.CharField):
    """A JSON string, kept as it is given; NUL and lone surrogates are refused by the base class."""

    default_error_messages = {"invalid": "Must be a text."}

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"trim_whitespace": False} | options)

    def to_internal_value(self, data: Any) -> str:
        """Take a string only."""
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class FilledText(Text):
    """A JSON string of more than blanks."""

    default_error_messages = {"blank": "Must not be blank."}

    def to_internal_value(self, data: Any) -> str:
        """Take what can be seen."""
        text = super().to_internal_value(data)
        if not text.strip():
            self.fail("blank")
        return text


class NewSku(Text):
    """A SKU that can stand in a path, on a page and in a cursor as it is."""

    default_error_messages = {
        "path": "Must not contain a slash, and not be . or ..",
        "printable": "Must hold printable characters only.",
        "edges": "Must not start or end with a blank.",
    }

    def to_internal_value(self, data: Any) -> str:
        """Take what has one way to be written."""
        sku = super().to_internal_value(data)
        if not sku.isprintable():
            self.fail("printable")
        if sku != sku.strip():
            self.fail("edges")
        if "/" in sku or sku in (".", ".."):
            self.fail("path")
        return sku


class WholeNumber(serializers.IntegerField):
    """A JSON number without a fraction that fits into 32 bits; what it may be beyond that is a rule's question."""

    default_error_messages = {"invalid": "Must be a whole number."}

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"min_value": SMALLEST_INTEGER, "max_value": LARGEST_INTEGER} | options)

    def to_internal_value(self, data: Any) -> int:
        """Take an integer only."""
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return data


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string", "pattern": f"^{AMOUNT.pattern}$"},
            {"type": "number", "maximum": 9999999999.9999},
        ]
    }
)
class Money(serializers.Field[Any, Any, Any, Any]):
    """A JSON string or number of at most ten digits before the point and four behind it, taken exactly."""

    default_error_messages = {
        "invalid": "Must be an amount, as a string or a number.",
        "digits": "Must have at most 10 digits before the point and 4 behind it.",
    }

    def to_internal_value(self, data: Any) -> Decimal:
        """Take the digits as they stand."""
        if isinstance(data, bool) or not isinstance(data, str | int | Decimal):
            self.fail("invalid")
        # Longer numbers cannot be right, and writing out an exponent of a million would cost.
        if isinstance(data, Decimal):
            data = format(data, "f") if abs(data.adjusted()) < 20 else str(data)
        text = str(data)
        if not AMOUNT.fullmatch(text):
            self.fail(
                "digits" if re.fullmatch(r"-?[0-9]+([.][0-9]+)?([Ee][+-]?[0-9]+)?", text) else "invalid"
            )
        return Decimal(text) + 0  # which makes of -0 a 0


@extend_schema_field(
    {"oneOf": [{"type": "string", "pattern": f"^{DIGITS.pattern}$"}, {"type": "integer", "minimum": 0}]}
)
class Id(serializers.Field[Any, Any, Any, Any]):
    """An id as this API writes it, a string of digits, or as a number."""

    default_error_messages = {"invalid": "Must be an id: digits, as a string or a number."}

    def to_internal_value(self, data: Any) -> int:
        """Take what can be a key of the database."""
        if isinstance(data, bool) or not isinstance(data, int | str) or not DIGITS.fullmatch(str(data)):
            self.fail("invalid")
        number = int(data)
        if number > LARGEST_ID:
            self.fail("invalid")
        return number


@extend_schema_field(OpenApiTypes.DATETIME)
class PastMoment(serializers.DateTimeField):
    """A moment with its offset from UTC, not in the future and not before there was such a shop."""

    default_error_messages = {
        "type": "Must be a string.",
        "future": "Must not be in the future.",
        "offset": "Must say its offset from UTC, like 2026-01-31T09:30:00Z.",
        "past": f"Must not be before {FIRST_YEAR}.",
    }

    def to_internal_value(self, value: Any) -> datetime:
        """Take ISO 8601."""
        if not isinstance(value, str):
            self.fail("type")
        moment = super().to_internal_value(value)
        if moment > timezone.now():
            self.fail("future")
        if moment.year < FIRST_YEAR:
            self.fail("past")
        return moment

    def enforce_timezone(self, value: datetime) -> datetime:
        """Guess no offset."""
        if value.tzinfo is None:
            self.fail("offset")
        return super().enforce_timezone(value)


def json_word(value: Any) -> str:
    """Call a value what JSON calls it."""
    words: dict[type, str] = {bool: "true or false", dict: "an object", list: "a list", str: "a text"}
    return "null" if value is None else words.get(type(value), "a number")
