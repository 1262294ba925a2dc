"""Mistakes in the settings of publishers, told with an id and a hint when Django starts."""

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string


@register("outbox")
def check_publishers(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Check what the settings of the outbox say of publishers and webhooks."""
    given = getattr(settings, "OUTBOX", {})
    if not isinstance(given, dict):
        return []  # outbox.E001
    return [*_publishers(given), *_networks(given), *_pauses(given)]


def _publishers(given: dict[str, Any]) -> Iterator[CheckMessage]:
    chosen = given.get("PUBLISHERS", {})
    if not isinstance(chosen, dict):
        hint = "OUTBOX['PUBLISHERS'] = {'webhook': 'outbox.publishers.webhooks.publisher'}"
        yield Error("OUTBOX['PUBLISHERS'] is not a dictionary.", hint=hint, id="outbox.E040")
        return
    for kind, path in chosen.items():
        try:
            is_publisher = callable(getattr(import_string(path), "open", None))
        except (ImportError, AttributeError):
            is_publisher = False
        if not is_publisher:
            hint = "Give the dotted path of an object as outbox.publishers.contract.Publisher describes it."
            yield Error(f"The publisher {path!r} of {kind!r} is none.", hint=hint, id="outbox.E041")


def _networks(given: dict[str, Any]) -> Iterator[CheckMessage]:
    chosen = given.get("WEBHOOK_ALLOWED_NETWORKS", ())
    for text in [chosen] if isinstance(chosen, str) else chosen:
        try:
            ipaddress.ip_network(text)
        except ValueError as error:
            hint = "Give a list of networks, as ['10.1.0.0/16', 'fd00::/8']."
            yield Error(f"OUTBOX['WEBHOOK_ALLOWED_NETWORKS']: {error}.", hint=hint, id="outbox.E042")
        else:
            if isinstance(chosen, str):
                hint = f"OUTBOX['WEBHOOK_ALLOWED_NETWORKS'] = [{chosen!r}]"
                yield Error("OUTBOX['WEBHOOK_ALLOWED_NETWORKS'] is no list.", hint=hint, id="outbox.E042")


def _pauses(given: dict[str, Any]) -> Iterator[CheckMessage]:
    pauses = given.get("WEBHOOK_RETRY_SECONDS", ())
    is_list = isinstance(pauses, list | tuple)
    if not is_list or any(
        isinstance(one, bool) or not isinstance(one, int | float) or one < 0 for one in pauses
    ):
        hint = "Give a list of seconds, one for each repetition; an empty one repeats nothing."
        yield Error(f"OUTBOX['WEBHOOK_RETRY_SECONDS'] is {pauses!r}.", hint=hint, id="outbox.E043")
