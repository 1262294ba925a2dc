"""Ways to refresh a materialized view that look right and are not."""

from collections.abc import Callable

import pytest

from orders_read import refreshing

Patch = pytest.MonkeyPatch
Mutant = Callable[[Patch], None]


def readers_wait(patch: Patch) -> None:
    """Without CONCURRENTLY."""
    patch.setattr(refreshing, "REFRESH", refreshing.REFRESH.replace("CONCURRENTLY ", ""))


def delivery_waits(patch: Patch) -> None:
    """Let nobody move a checkpoint, so that the position stands still meanwhile."""
    patch.setattr(refreshing, "REFRESH", f"LOCK TABLE checkpoints IN SHARE MODE; {refreshing.REFRESH}")


def several_at_once(patch: Patch) -> None:
    """Believe to have the lock in any case."""
    patch.setattr(refreshing, "TRY_LOCK", "SELECT $1::int IS NOT NULL AND $2::text IS NOT NULL")


def without_a_pause(patch: Patch) -> None:
    """Refresh what is old enough, however long it takes."""
    patch.setattr(refreshing, "PAUSE_PER_SECOND", 0)


def a_failure_costs_nothing(patch: Patch) -> None:
    """Note what succeeded only."""
    only = "SELECT $1, clock_timestamp(), $2, $3::text WHERE $3::text = ''"
    note = refreshing.NOTE.replace("VALUES ($1, clock_timestamp(), $2, $3)", only)
    patch.setattr(refreshing, "NOTE", note)
