"""Readers of the log that forget to read older events as today's: one place at a time."""

from collections.abc import Callable
from types import ModuleType

import pytest

from outbox import folds, history, upcasters
from outbox.publishers import endpoints, events

Mutant = Callable[[pytest.MonkeyPatch], None]


def forgets(module: ModuleType) -> Mutant:
    """Make a mutant in which one module reads what was written."""

    def mutant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(module, "read_as_today", lambda _="": upcasters.PLAIN)

    mutant.__name__ = f"{module.__name__.rpartition('.')[2]}_forgets"
    return mutant


folds_forget, history_forgets, publishers_forget, replays_forget = map(
    forgets, (folds, history, events, endpoints)
)


def one_step_is_enough(patch: pytest.MonkeyPatch) -> None:
    """Bring each event one version further, and not to today's."""
    patch.setattr(upcasters, "_nested", lambda chain, version, payload: f'"{chain[version]}"({payload})')
