"""A restored or copied log is another history."""

import pytest
from django.db import connection

from outbox import epoch
from outbox.epoch import current_epoch
from tests.outbox.world import World


@pytest.fixture(autouse=True)
def forget(bare_world: World) -> None:
    epoch._known.clear()


def test_the_epoch_stays_while_the_history_is_the_same(bare_world: World) -> None:
    first = current_epoch()
    epoch._known.clear()
    assert current_epoch() == first
    assert bare_world.ask("SELECT epoch FROM log_epoch") == [(first,)]


@pytest.mark.parametrize("column", ["system_identifier = '1'", "timeline = timeline + 1", "log_oid = 1"])
def test_another_cluster_timeline_or_table_is_another_epoch(bare_world: World, column: str) -> None:
    first = current_epoch()
    bare_world.watcher.execute(f"UPDATE log_epoch SET {column}")
    epoch._known.clear()
    assert current_epoch() != first


def test_the_epoch_is_looked_up_once_for_a_connection(bare_world: World) -> None:
    first = current_epoch()
    bare_world.watcher.execute("UPDATE log_epoch SET log_oid = 1")
    assert current_epoch() == first
    connection.close()
    assert current_epoch() != first


def test_a_connection_that_outlives_a_fail_over_looks_again_soon(
    bare_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epoch, "BELIEVED_SECONDS", 0.0)
    first = current_epoch()

    bare_world.watcher.execute("UPDATE log_epoch SET timeline = timeline + 1")

    assert current_epoch() != first
