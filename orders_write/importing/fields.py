"""Read one JSON object field by field, taking nothing that is not exactly of the expected type."""

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

Read = TypeVar("Read")

LARGEST_WHOLE = 2_147_483_647  # an INTEGER of PostgreSQL
MONEY = re.compile(r"-?\d{1,10}(\.\d{1,4})?")  # NUMERIC(14,4)


class WrongShape(Exception):
    """A record is not what its type asks for; the message names the field."""


class Fields:
    """The fields of one object. A field that may be missing or null is asked for by the `maybe_` name."""

    __slots__ = ("values",)

    def __init__(self, values: Any, known: frozenset[str]) -> None:
        if type(values) is not dict:
            raise WrongShape("each line of an order must be an object")
        if not values.keys() <= known:
            raise WrongShape(f"unknown field {min(values.keys() - known)}")
        self.values: dict[str, Any] = values

    def text(self, name: str, limit: int) -> str:
        """Return text of 1 to `limit` characters."""
        value = self.maybe_text(name, limit)
        if not value:
            raise WrongShape(f"{name} is missing")
        return value

    def maybe_text(self, name: str, limit: int) -> str | None:
        """Return text of up to `limit` characters."""
        value = self.values.get(name)
        if value is None:
            return None
        if type(value) is not str:
            raise WrongShape(f"{name} must be text")
        if len(value) > limit or "\0" in value:
            raise WrongShape(f"{name} must be text of at most {limit} characters, without NUL")
        return value

    def whole(self, name: str) -> int:
        """Return a number as PostgreSQL's INTEGER holds it."""
        value = self.maybe_whole(name)
        if value is None:
            raise WrongShape(f"{name} is missing")
        return value

    def maybe_whole(self, name: str) -> int | None:
        """Return such a number, or None."""
        value = self.values.get(name)
        if value is None:
            return None
        if type(value) is not int or not -LARGEST_WHOLE <= value <= LARGEST_WHOLE:
            raise WrongShape(f"{name} must be a whole number of at most {LARGEST_WHOLE}")
        return value

    def money(self, name: str) -> Decimal:
        """Return an amount, which stands as text: a JSON number would have been a float on the way."""
        value = self.maybe_money(name)
        if value is None:
            raise WrongShape(f"{name} is missing")
        return value

    def maybe_money(self, name: str) -> Decimal | None:
        """Return such an amount, or None."""
        value = self.values.get(name)
        if value is None:
            return None
        if type(value) is not str or not MONEY.fullmatch(value):
            raise WrongShape(f'{name} must be an amount as text, such as "2.55", with at most four decimals')
        return Decimal(value)

    def time(self, name: str) -> datetime:
        """Return a moment; text without a time zone is not one."""
        value = self.text(name, 40)
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise WrongShape(f'{name} must be a time with its zone, such as "2010-12-01T08:26:00Z"')
        return moment

    def lines(self, known: frozenset[str], read: Callable[["Fields"], Read]) -> tuple[Read, ...]:
        """Return what `read` makes of each object in `lines`; an empty list is for the domain to refuse."""
        values = self.values.get("lines")
        if type(values) is not list:
            raise WrongShape("lines must be a list")
        return tuple([read(Fields(value, known)) for value in values])
