"""Mistakes in the settings of the write side, told with an id and a hint when Django starts."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register("orders_write")
def check_settings(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Check how long answers are kept."""
    days = getattr(settings, "IDEMPOTENCY_KEEP_DAYS", None)
    if not isinstance(days, bool) and isinstance(days, int | float) and days > 0:
        return []
    hint = "Give a number of days above 0, longer than any caller goes on trying."
    return [Error(f"IDEMPOTENCY_KEEP_DAYS is {days!r}.", hint=hint, id="orders_write.E001")]
