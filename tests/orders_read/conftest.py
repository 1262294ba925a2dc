"""Fixtures of the read side: the world of the outbox's tests, for what is about any projection."""

from tests.outbox.conftest import bare_world, subscribe, world

__all__ = ["bare_world", "subscribe", "world"]
