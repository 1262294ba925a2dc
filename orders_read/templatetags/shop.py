"""How the pages print what read models say: money strings, times, who did it, and where one is."""

from datetime import date, datetime
from decimal import Decimal

from django import template
from django.template import Context
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

SIGNS = {"GBP": "£", "EUR": "€", "USD": "$"}


@register.filter
def money(amount: str | Decimal | None, currency: str = "GBP") -> str:
    """Print an amount with two decimals, or with three or four where they are not zero."""
    if amount in (None, ""):
        return "–"
    exact = Decimal(amount).normalize()
    decimals = max(2, -int(exact.as_tuple().exponent))
    figure = f"{abs(exact):,.{decimals}f}"
    minus = "−" if exact < 0 else ""
    return f"{minus}{SIGNS[currency]}{figure}" if currency in SIGNS else f"{minus}{figure} {currency}"


@register.filter
def percent(part: str | None) -> str:
    """Print a part of one as a percentage with one decimal."""
    return "–" if part is None else f"{Decimal(part) * 100:.1f} %"


@register.filter
def grouped(number: int | str | None) -> str:
    """Print a count with separators of thousands."""
    return "–" if number in (None, "") else f"{int(number):,}".replace("-", "−")


@register.filter
def moment(text: str | None) -> datetime | None:
    """Read a time of a document, for Django's own `date` filter."""
    return parse_datetime(text) if text else None


@register.filter
def day(text: str) -> date:
    """Read a day of a document, for Django's own `date` filter."""
    return date.fromisoformat(text)


@register.filter
def is_positive(amount: str | None) -> bool:
    """Say whether an amount is above zero."""
    return Decimal(amount or 0) > 0


@register.filter
def is_negative(amount: str | None) -> bool:
    """Say whether an amount is below zero."""
    return Decimal(amount or 0) < 0


@register.filter
def unsigned(amount: str) -> Decimal:
    """Leave out the sign."""
    return abs(Decimal(amount))


@register.simple_tag(takes_context=True)
def actor(context: Context, by: str | None, customer: str | None) -> str:
    """Say who did it, as the reader knows them: customers need not know which of the staff it was."""
    user = context["user"]
    if by == f"user:{user.pk}":
        return "you"
    if not user.is_staff:
        return "the shop"
    return "the customer" if by == f"user:{customer}" else (by or "the system").replace(":", " ")


@register.simple_tag(takes_context=True)
def here(context: Context, *names: str) -> SafeString | str:
    """Mark the navigation's entry of the page that is shown."""
    request = context.get("request")
    match = getattr(request, "resolver_match", None)
    return format_html(' aria-current="{}"', "page") if match and match.url_name in names else ""
