"""A command is answered when its commit is on the disk, not before."""

from typing import Any

import pytest

from orders_write import handlers

from .shop import do, list_products, rows, wish

pytestmark = pytest.mark.usefixtures("database")

COMMANDS = 20  # a commit that is not waited for may be on the disk by chance


def test_what_was_answered_is_on_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Any] = []
    save = handlers.save

    def save_and_look(*what: Any) -> None:
        save(*what)
        written.extend(rows("SELECT pg_current_wal_insert_lsn()::text"))

    list_products("mug")
    monkeypatch.setattr(handlers, "save", save_and_look)
    for _ in range(COMMANDS):
        do(wish(None, ("mug", 1)))
        # The record of the commit comes after what the command wrote.
        assert rows("SELECT pg_current_wal_flush_lsn() > %s::pg_lsn", *written[-1]) == [(True,)]
    assert len(written) == COMMANDS
