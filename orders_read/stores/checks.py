"""Mistakes in `settings.READ_STORES`, told with an id and a hint when Django starts."""

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as Remark

from ..mirrors.record import KIND
from .choice import DEFAULTS, LONGEST_TIMEOUT_SECONDS, POSTGRES
from .documents import DOCUMENTS

MOST_PARTITIONS = 64
CHORE = "orders_read.mirrors.keeping.keep_mirrors"
EXAMPLE = "READ_STORES = {'order_details': {'BACKEND': 'orders_read.stores.redis', 'LOCATION': 'redis://…'}}"


@register("orders_read")
def check_read_stores(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Check which stores the settings name, and whether mirrors are fed."""
    given = getattr(settings, "READ_STORES", {})
    if not isinstance(given, dict) or not all(isinstance(one, dict) for one in given.values()):
        return [Error("READ_STORES is no dictionary of dictionaries.", hint=EXAMPLE, id="orders_read.E001")]
    return [*_stores(given), *_feeding(given)]


def _stores(given: dict[str, dict[str, Any]]) -> Iterator[CheckMessage]:
    for read_model, options in given.items():
        if read_model not in DOCUMENTS:
            hint = f"Other stores can hold {', '.join(DOCUMENTS)}; what is not named is in PostgreSQL."
            yield Error(f"READ_STORES names {read_model!r}.", hint=hint, id="orders_read.E002")
        try:
            store = import_module(options.get("BACKEND", "")).Store
        except (ImportError, AttributeError, ValueError):
            hint = f"Give the path of a module with a class Store, as {POSTGRES!r} or 'orders_read.stores.redis'."
            yield Error(f"The store of {read_model} is none.", hint=hint, id="orders_read.E003")
        else:
            yield from _options(read_model, options, store)


def _options(read_model: str, options: dict[str, Any], store: Any) -> Iterator[CheckMessage]:
    is_postgres = options["BACKEND"] == POSTGRES
    known = {"BACKEND", *store.OPTIONS, *(() if is_postgres else DEFAULTS)}
    for name in sorted(options.keys() - known):
        hint = f"It may name {', '.join(sorted(known))}."
        yield Error(f"READ_STORES[{read_model!r}] names {name!r}.", hint=hint, id="orders_read.E004")
    for name in sorted(store.REQUIRED - options.keys()):
        yield Error(f"READ_STORES[{read_model!r}] lacks {name!r}.", hint=EXAMPLE, id="orders_read.E005")
    seconds = options.get("TIMEOUT_SECONDS", LONGEST_TIMEOUT_SECONDS)
    if not _is_number(seconds) or not 0 < seconds <= LONGEST_TIMEOUT_SECONDS:
        hint = f"Give seconds above 0, up to {LONGEST_TIMEOUT_SECONDS}: readers wait so long for a store that is away."
        yield Error(
            f"READ_STORES[{read_model!r}] has the time-out {seconds!r}.", hint=hint, id="orders_read.E006"
        )
    partitions = options.get("PARTITIONS", 1)
    if (
        not isinstance(partitions, int)
        or not _is_number(partitions)
        or not 1 <= partitions <= MOST_PARTITIONS
    ):
        hint = f"Give a number from 1 to {MOST_PARTITIONS}."
        yield Error(
            f"READ_STORES[{read_model!r}] has {partitions!r} partitions.", hint=hint, id="orders_read.E007"
        )


def _feeding(given: dict[str, dict[str, Any]]) -> Iterator[CheckMessage]:
    if all(options.get("BACKEND") == POSTGRES for options in given.values()):
        return
    outbox = getattr(settings, "OUTBOX", {})
    if KIND not in outbox.get("PUBLISHERS", {}):
        hint = f"OUTBOX['PUBLISHERS'][{KIND!r}] = 'orders_read.mirrors.publisher.publisher'"
        yield Error("No publisher feeds the stores of READ_STORES.", hint=hint, id="orders_read.E008")
    if CHORE not in outbox.get("CHORES", {}):
        hint = (
            f"OUTBOX['CHORES'][{CHORE!r}] = 1: it follows swaps and repairs, and rebuilds what a store lost."
        )
        yield Remark("Nothing keeps the stores of READ_STORES.", hint=hint, id="orders_read.W001")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
