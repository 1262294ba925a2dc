"""The table of mutants holds each of them, and what kills it is there: `make mutants` can forget none."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import mutants
from tests.mutants import killing
from tests.mutants.killing import Outcome
from tests.mutants.selection import seeded_in
from tests.mutants.table import GUARANTEES, TABLE, TORTURE, Mutant
from tests.torture.mutants import MUTANTS as TORTURED

TESTS = Path(__file__).resolve().parents[1]
TOOLS = {"__main__", "killing", "selection", "table"}
TYPES = {"Mutant", "Patch"}
KILLS = ("_is_caught", "_are_caught", "_is_found_out", "_are_found_out", "_the_mutant_dies")
# Of what mutants are made, or what only a test of the product uses.
PARTS = {
    *(f"relays.{name}" for name in (
        "LastRelayedBound", "HeedlessBound", "HastyBound", "PatientBound", "NoBound", "IdentityPositions",
        "SequenceRelay", "UnlockedRelay", "without_position_key",
    )),
    "commands.LOAD_BATCH",
    "pauses.HEEDLESS_STATE",
    "publishers.PARTITION",
    "stopping.CANCEL",
    "upcasters.forgets",
    "verifications.one_batch_of_fifty",
}  # fmt: skip
# What every adopter of the design asks for first.
DEMANDED = {
    "relays.IdentityPoller", "relays.OldestTransactionPoller", "relays.SequenceCarrier", "relays.UnlockedCarrier",
    "deliveries.HEEDLESS_MOVE", "deliveries.fold_then_move", "torture read_check_write_stock",
    "torture check_then_insert_idempotency", "mirrors.versions_are_not_compared", "torture synchronous_commit_off",
}  # fmt: skip


def seeds(module: str) -> Iterator[str]:
    """Name the classes, functions and statements that a module of mutants defines."""
    for part in ast.parse((TESTS / "mutants" / f"{module}.py").read_text()).body:
        names = [part.name] if isinstance(part, ast.FunctionDef | ast.ClassDef) else []
        if isinstance(part, ast.Assign):
            names = [
                one.id for target in part.targets for one in ast.walk(target) if isinstance(one, ast.Name)
            ]
        yield from (f"{module}.{name}" for name in names if not name.startswith("_") and name not in TYPES)


def killing_tests() -> Iterator[str]:
    """Name every test that says that it kills a mutant."""
    for path in sorted(TESTS.rglob("test_*.py")):
        for part in ast.parse(path.read_text()).body:
            if isinstance(part, ast.FunctionDef) and _kills(part):
                yield f"{path.relative_to(TESTS)}::{part.name}"


def _kills(function: ast.FunctionDef) -> bool:
    is_test = function.name.startswith("test_")
    return is_test and (function.name.endswith(KILLS) or "raises(Broken" in ast.unparse(function))


def test_every_mutant_is_in_the_table() -> None:
    modules = [name for _, name, _ in pkgutil.iter_modules(mutants.__path__) if name not in TOOLS]
    seeded = {seed for name in modules for seed in seeds(name)}
    assert seeded - PARTS - {one.name for one in TABLE} == set()
    assert PARTS - seeded == set()
    assert {f"torture {one.name}" for one in TORTURED} - {one.name for one in TABLE} == set()


def test_every_test_that_kills_is_in_the_table() -> None:
    assert set(killing_tests()) - {one.killed_by for one in TABLE} == set()


def test_what_every_adopter_asks_for_is_there() -> None:
    assert DEMANDED - {one.name for one in TABLE} == set()


@pytest.mark.parametrize("mutant", TABLE, ids=lambda one: one.row)
def test_what_kills_a_mutant_is_there_and_uses_it(mutant: Mutant) -> None:
    assert mutant.guarantee in GUARANTEES
    if mutant.killed_by == TORTURE:
        assert mutant.torture().name in mutant.name
        return
    path, _, name = mutant.killed_by.partition("::")
    test = getattr(importlib.import_module(f"tests.{path.removesuffix('.py').replace('/', '.')}"), name)
    marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    values = [value for mark in marks for value in mark.args[1]]
    assert list(seeded_in(test, values, [mutant])) == [mutant]


def test_no_mutant_stands_there_twice() -> None:
    assert len({one.row for one in TABLE}) == len(TABLE)


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [
        ([], "NO TEST"),
        ([(True, 1.0), (True, 2.0)], "dead"),
        ([(True, 1.0), (False, 2.0)], "ALIVE"),
        ([(True, 1.0), (True, 60.0)], "TOO SLOW"),
    ],
)
def test_only_what_all_its_tests_kill_in_time_is_dead(ends: list[tuple[bool, float]], verdict: str) -> None:
    assert killing._of_tests(TABLE[0], ends).verdict == verdict


def test_a_mutant_whose_test_is_not_there_is_not_dead() -> None:
    nobodys = Mutant("relays.IdentityPoller", "G1", "", "outbox/nowhere.py::test_nothing")

    assert killing.by_tests([nobodys], {"PATH": ""}) == [Outcome(nobodys)]


def test_the_tool_runs_the_test_and_tells_that_the_mutant_is_dead() -> None:
    command = [sys.executable, "-m", "tests.mutants", "relays.UnlockedCarrier"]

    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=TESTS.parent)

    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 of 1 are dead" in run.stdout
    row = next(line for line in run.stdout.splitlines() if "relays.UnlockedCarrier" in line)
    assert row.split()[0] == "dead"
