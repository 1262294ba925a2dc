"""Ways to carry out commands that look right and are not: each takes one safeguard away."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from orders_write import handlers, loading
from orders_write.domain import order
from orders_write.domain.order import Order
from orders_write.loading import Loaded
from orders_write.models import Stock
from orders_write.repository import Repository

Patch = pytest.MonkeyPatch
LOAD_BATCH = Path(loading.__file__).parent / "sql" / "load_batch.sql"
Mutant = Callable[[Patch], AbstractContextManager[None] | None]


def stock_is_read_without_a_lock(patch: Patch) -> AbstractContextManager[None]:
    return _load_batch(
        lambda text: text.replace("ORDER BY product_id FOR NO KEY UPDATE", "ORDER BY product_id")
    )


def stock_is_locked_and_read_at_once(patch: Patch) -> AbstractContextManager[None]:
    # A re-checked lock sees the newest stock, but a joined price is that of the statement's start.
    joined = "(SELECT * FROM stock JOIN products USING (product_id) WHERE sku = ANY (wanted_skus)"
    locked = f"{joined} ORDER BY product_id FOR NO KEY UPDATE OF stock) AS locked"

    def mutate(text: str) -> str:
        start = text.index("SELECT array_agg(product_id) INTO wanted_products")
        end = text.index("loaded := loaded || jsonb_build_object('products'", start)
        unlocked = "products JOIN stock USING (product_id) WHERE product_id = ANY (wanted_products)"
        assert unlocked in text[end:]
        return text[:start] + text[end:].replace(unlocked, locked, 1)

    return _load_batch(mutate)


def locks_are_taken_in_any_order(patch: Patch) -> AbstractContextManager[None]:
    return _load_batch(lambda text: text.replace("ORDER BY product_id FOR NO KEY", "FOR NO KEY"))


def messages_go_out_before_the_locks(patch: Patch) -> None:
    load = handlers.load

    def late(*needs: Any) -> Loaded:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        loading.psycopg.RawCursor(connection.connection).execute(
            "INSERT INTO idempotency_keys SELECT '', '', '', 200, '{}', '', now() WHERE false"
        )
        return load(*needs)

    patch.setattr(handlers, "load", late)


def a_key_is_looked_up_but_not_claimed(patch: Patch) -> AbstractContextManager[None]:
    claim = re.compile(r"FROM claim_idempotency_keys\(.*?\)\)\)\);", re.DOTALL)
    return _load_batch(lambda text: claim.sub("FROM idempotency_keys));", text))


def the_answer_is_not_stored(patch: Patch) -> None:
    patch.setattr(handlers, "_new_answers", lambda *_: [])


def another_body_under_the_same_key_is_not_noticed(patch: Patch) -> None:
    def any_body(rows: Any, keys: Any) -> Any:
        return original([row | {"fingerprint": keys[0].fingerprint.hex()} for row in rows], keys)

    original = loading.stored_answers
    patch.setattr(loading, "stored_answers", any_body)


def the_trigger_sleeps(patch: Patch) -> AbstractContextManager[None]:
    return _without_trigger("orders", "orders_need_event")


def orders_can_be_deleted(patch: Patch) -> AbstractContextManager[None]:
    return _without_trigger("orders", "orders_stay")


def a_lost_race_is_not_repeated(patch: Patch) -> None:
    patch.setattr(handlers, "ATTEMPTS", 1)


def the_owner_is_not_asked(patch: Patch) -> None:
    original = Repository.order
    patch.setattr(Repository, "order", lambda self, order_id, _: original(self, order_id, None))


def credit_is_not_freed(patch: Patch) -> None:
    patch.setattr(Order, "held", property(lambda self: self.total if self.on_credit else order.ZERO))


def a_refused_command_keeps_its_stock(patch: Patch) -> None:
    original = order.place_order

    def greedy(command: Any, order_id: int, buyer: Any, catalogue: dict[str, Any]) -> Any:
        for line in command.lines:
            if line.sku in catalogue:
                product = catalogue[line.sku]
                catalogue[line.sku] = replace(product, reserved=product.reserved + 1)
        return original(command, order_id, buyer, catalogue)

    patch.setattr(order, "place_order", greedy)


def a_lock_is_asked_for_and_never_taken(patch: Patch) -> AbstractContextManager[None]:
    """Ask Django for the locks, in a query that nobody evaluates."""

    def load_with_locks(*needs: Any) -> Loaded:
        Stock.objects.select_for_update().order_by("product_id")
        return load(*needs)

    load = handlers.load
    patch.setattr(handlers, "load", load_with_locks)
    return stock_is_read_without_a_lock(patch)


def a_command_does_not_wait_for_the_disk(patch: Patch) -> None:
    def save_and_hurry(*what: Any) -> None:
        save(*what)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")

    save = handlers.save
    patch.setattr(handlers, "save", save_and_hurry)


@contextmanager
def _load_batch(mutate: Callable[[str], str]) -> Iterator[None]:
    text = LOAD_BATCH.read_text()
    assert mutate(text) != text
    with connection.cursor() as cursor:
        cursor.execute(mutate(text))
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(text)


@contextmanager
def _without_trigger(table: str, trigger: str) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {trigger}")
