"""Mirrors that look right and are not: each takes one safeguard away."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import pytest
from django.db import connection

from orders_read.mirrors import building, touching
from orders_read.mirrors.publisher import MirrorTarget
from orders_read.stores import redis
from orders_read.stores.breaker import Breaker
from orders_read.stores.contract import StoreUnavailable
from orders_read.stores.documents import Documents
from orders_read.verify import shadow
from outbox.exceptions import SubscriberUnavailable
from outbox.publishers import lanes
from outbox.publishers.contract import Event

Patch = pytest.MonkeyPatch
Mutant = Callable[[Patch], AbstractContextManager[None] | None]


def _script(patch: Patch, old: str, new: str, of: str = "redis_write") -> None:
    def changed(name: str, mirror: str) -> Any:
        script = original(name, mirror)
        if name == of:
            assert old in script.text
            script.text = script.text.replace(old, new)
            script.sha = redis.sha1(script.text.encode(), usedforsecurity=False).hexdigest()
        return script

    original = redis.Script
    patch.setattr(redis, "Script", changed)


def versions_are_not_compared(patch: Patch) -> None:
    _script(patch, "then return 0 end", "then held = nil end")


def equal_versions_are_written(patch: Patch) -> None:
    _script(patch, ">= tonumber", "> tonumber")


def a_delete_leaves_nothing(patch: Patch) -> None:
    _script(patch, "redis.call('HSET', KEYS[1], 'v'", "if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'v'")
    _script(patch, "if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'd', ARGV[4]) end", "end")


def a_mirror_is_as_new_as_the_log(patch: Patch) -> None:
    assert lanes.LANES.count("least(") == 1
    patch.setattr(lanes, "LANES", lanes.LANES.replace("least(", "greatest("))


def a_repair_tells_nobody(patch: Patch) -> None:
    patch.setattr(shadow, "touch", lambda *_: None)


def a_repaired_row_must_be_newer(patch: Patch) -> None:
    def write_newer(connection: Any, mirror: Any, keys: Sequence[int], **_: bool) -> int:
        return write(connection, mirror, keys)

    write = touching.write_documents
    patch.setattr(touching, "write_documents", write_newer)


def what_is_folded_late_tells_nobody(patch: Patch) -> AbstractContextManager[None]:
    @contextmanager
    def asleep() -> Iterator[None]:
        _execute("ALTER TABLE dead_letters DISABLE TRIGGER dead_letters_touch_documents")
        try:
            yield
        finally:
            _execute("ALTER TABLE dead_letters ENABLE TRIGGER dead_letters_touch_documents")

    return asleep()


def a_build_is_shown_when_it_is_copied(patch: Patch) -> None:
    patch.setattr(building, "catch_up", lambda _: None)


def what_the_store_refuses_is_forgotten(patch: Patch) -> None:
    def publish_and_hope(self: MirrorTarget, events: Sequence[Event]) -> None:
        with suppress(SubscriberUnavailable):
            publish(self, events)

    publish = MirrorTarget.publish
    patch.setattr(MirrorTarget, "publish", publish_and_hope)


def a_server_that_was_restarted_is_believed(patch: Patch) -> None:
    def answer(self: redis.Store, key: int, user_id: int | None, history: str) -> tuple[str | None, int]:
        try:
            self._readers.script_load(self._read.text)
        except redis.RedisError as error:
            raise StoreUnavailable from error
        return original(self, key, user_id, history)

    original = redis.Store.answer
    patch.setattr(redis.Store, "answer", answer)


def documents_of_any_history_are_read(patch: Patch) -> None:
    _script(patch, "or about[3] ~= ARGV[3]", "", of="redis_read")


def the_owner_is_not_asked(patch: Patch) -> None:
    patch.setattr(Documents, "has_owner", False)


def every_reader_tries_the_store(patch: Patch) -> None:
    patch.setattr(Breaker, "lets_pass", lambda _: True)


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
