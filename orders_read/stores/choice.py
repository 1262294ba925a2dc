"""Which store answers for a read model, as `settings.READ_STORES` says, and what happens when it is away.

    READ_STORES = {"order_details": {"BACKEND": "orders_read.stores.redis", "LOCATION": "redis://…", "FALLBACK": True}}

What is not named there is answered by PostgreSQL. `TIMEOUT_SECONDS` is how long one answer may take, connecting
included; `FALLBACK` lets PostgreSQL answer when the store cannot; `PARTITIONS` is how many lanes feed the mirror.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from typing import Any

from django.conf import settings
from prometheus_client import Counter

from outbox.epoch import current_epoch

from ..answering import note_position, requires_database
from . import postgres
from .breaker import Breaker
from .contract import DocumentStore, NotADocument, StoreUnavailable
from .documents import DOCUMENTS

POSTGRES = "orders_read.stores.postgres"
LONGEST_TIMEOUT_SECONDS = 0.05
DEFAULTS: Mapping[str, Any] = {"TIMEOUT_SECONDS": LONGEST_TIMEOUT_SECONDS, "FALLBACK": True, "PARTITIONS": 1}
FALLBACKS = Counter(
    "read_store_fallbacks", "Answers that PostgreSQL gave for a store.", ["read_model", "store"]
)

_noted: ContextVar["Answered | None"] = ContextVar("stores", default=None)


class ReadStoreUnavailable(Exception):
    """The store of this read model cannot answer at the moment, and no other is to answer for it."""

    def __str__(self) -> str:
        return str(type(self).__doc__)


@dataclass(slots=True)
class Answered:
    """Which stores answered a request."""

    stores: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A store beside PostgreSQL, as the settings describe it."""

    read_model: str
    name: str
    store: DocumentStore
    falls_back: bool
    partitions: int
    breaker: Breaker = field(default_factory=Breaker)

    @property
    def subscriber(self) -> str:
        """Name the mirror that keeps the store, as the publisher that it is."""
        return f"{self.read_model}@{self.name}"

    def find(self, key: int, user_id: int | None) -> tuple[str | None, int]:
        """Ask the store, unless it has just failed; raises StoreUnavailable."""
        if not self.breaker.lets_pass():
            raise StoreUnavailable("the store has just failed")
        try:
            found = self.store.answer(key, user_id, str(current_epoch()))
        except NotADocument:
            self.breaker.succeed()
            raise
        except StoreUnavailable:
            self.breaker.fail()
            raise
        self.breaker.succeed()
        return found


def answer(read_model: str, key: int, user_id: int | None = None) -> str | None:
    """Answer a document's text from the store of its read model; None where there is none, or another customer's.

    Raises ReadStoreUnavailable where the store is away and PostgreSQL is not to answer for it.
    """
    found = chosen(read_model)
    if found is None:
        return _database(read_model).answer(key, user_id)
    try:
        text, version = found.find(key, user_id)
    except StoreUnavailable as error:
        if not found.falls_back:
            raise ReadStoreUnavailable from error
        FALLBACKS.labels(read_model, found.name).inc()
        _note("postgres; fallback")
        return _database(read_model).answer(key, user_id)
    if requires_database(read_model):
        _note("postgres; fallback")
        return _database(read_model).answer(key, user_id)
    _note(found.name)
    note_position(version)
    return text


def chosen(read_model: str) -> Chosen | None:
    """Return the store of a read model; None where PostgreSQL answers."""
    given = getattr(settings, "READ_STORES", {}).get(read_model)
    if not given or given["BACKEND"] == POSTGRES:
        return None
    return _chosen(read_model, tuple(sorted((DEFAULTS | given).items())))


def all_chosen() -> Iterator[Chosen]:
    """List the stores beside PostgreSQL."""
    for read_model in DOCUMENTS:
        if found := chosen(read_model):
            yield found


def _note(store: str) -> None:
    if noted := _noted.get():
        noted.stores.append(store)


@contextmanager
def noted_stores() -> Iterator[Answered]:
    """Note the stores that answer within."""
    answered = Answered()
    before = _noted.set(answered)
    try:
        yield answered
    finally:
        _noted.reset(before)


@lru_cache(maxsize=32)
def _database(read_model: str) -> postgres.Store:
    return postgres.Store(DOCUMENTS[read_model], {})


@lru_cache(maxsize=32)
def _chosen(read_model: str, given: tuple[tuple[str, Any], ...]) -> Chosen:
    options = dict(given)
    module = import_module(options["BACKEND"])
    return Chosen(
        read_model,
        options["BACKEND"].rpartition(".")[2],
        module.Store(DOCUMENTS[read_model], options),
        options["FALLBACK"],
        options["PARTITIONS"],
    )
