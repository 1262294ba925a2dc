"""The table of mutants holds each of them, and what kills it is there: `make mutants` can forget none."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests import mutants
from tests.mutants.table import GUARANTEES, TABLE, TORTURE
from tests.torture.mutants import MUTANTS as TORTURED

TESTS = Path(__file__).resolve().parents[1]
TOOLS = {"__main__", "killing", "selection", "table"}
# Of what mutants are made, or what only a test of the product uses.
PARTS = {
    *(f"relays.{name}" for name in (
        "LastRelayedBound", "HeedlessBound", "HastyBound", "PatientBound", "NoBound", "IdentityPositions",
        "SequenceRelay", "UnlockedRelay", "without_position_key",
    )),
    "stopping.cancel_statements",
    "upcasters.forgets",
    "verifications.one_batch_of_fifty",
}  # fmt: skip
# What every adopter of the design asks for first.
DEMANDED = {
    "relays.IdentityPoller", "relays.OldestTransactionPoller", "relays.SequenceCarrier", "relays.UnlockedCarrier",
    "deliveries.HEEDLESS_MOVE", "deliveries.fold_then_move", "torture read_check_write_stock",
    "torture check_then_insert_idempotency", "mirrors.versions_are_not_compared", "torture synchronous_commit_off",
}  # fmt: skip


def seeds(module: ModuleType) -> Iterator[str]:
    """Name the classes and functions that a module of mutants defines."""
    short = module.__name__.rpartition(".")[2]
    for name, value in vars(module).items():
        if getattr(value, "__module__", None) == module.__name__ and not name.startswith("_"):
            yield f"{short}.{name}"


def test_every_mutant_is_in_the_table() -> None:
    modules = [name for _, name, _ in pkgutil.iter_modules(mutants.__path__) if name not in TOOLS]
    seeded = {seed for name in modules for seed in seeds(importlib.import_module(f"tests.mutants.{name}"))}
    tortured = {f"torture {one.name}" for one in TORTURED}
    assert seeded - PARTS - {one.name for one in TABLE} == set()
    assert tortured - {one.name for one in TABLE} == set()


def test_what_every_adopter_asks_for_is_there() -> None:
    assert DEMANDED - {one.name for one in TABLE} == set()


@pytest.mark.parametrize("mutant", TABLE, ids=lambda one: one.row)
def test_what_kills_a_mutant_is_there(mutant) -> None:
    assert mutant.guarantee in GUARANTEES
    if mutant.killed_by == TORTURE:
        assert mutant.torture().name in mutant.name
        return
    mutant.seeded()
    file, _, name = mutant.killed_by.partition("::")
    assert re.search(rf"^def {name}\(", (TESTS / file).read_text(), re.MULTILINE), mutant.killed_by


def test_no_mutant_stands_there_twice() -> None:
    assert len({one.row for one in TABLE}) == len(TABLE)
