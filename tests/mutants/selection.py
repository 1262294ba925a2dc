"""A plug-in of pytest: run nothing but the tests that kill certain mutants, and note how they end."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from tests.mutants.table import TABLE, Mutant


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the rows of the table, and where to note how their tests end."""
    parser.addoption("--mutants", help="rows of the table, with commas between")
    parser.addoption("--mutants-ends", type=Path, help="the file to write")


def pytest_configure(config: pytest.Config) -> None:
    """Take part in a run that is about mutants."""
    if config.option.mutants_ends:
        wanted = config.option.mutants.split(",")
        config.pluginmanager.register(
            Selection([one for one in TABLE if one.row in wanted], config.option.mutants_ends)
        )


class Selection:
    """The killing tests of some mutants, and how they end."""

    def __init__(self, wanted: Sequence[Mutant], path: Path) -> None:
        self.wanted, self.path = wanted, path
        self.rows_of: dict[str, list[str]] = {}
        self.ends: dict[str, list[tuple[bool, float]]] = {}

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what kills nobody."""
        for item in items:
            self.rows_of[item.nodeid] = [one.row for one in killed(item, self.wanted)]
        config.hook.pytest_deselected(items=[one for one in items if not self.rows_of[one.nodeid]])
        items[:] = [one for one in items if self.rows_of[one.nodeid]]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how setting up, the call and clearing up end: a test kills when all three pass."""
        for row in self.rows_of[report.nodeid]:
            self.ends.setdefault(row, []).append((report.passed, report.duration))

    def pytest_sessionfinish(self) -> None:
        """Write down what was noted."""
        self.path.write_text(json.dumps(self.ends))


def killed(item: pytest.Item, mutants: Sequence[Mutant]) -> list[Mutant]:
    """List the mutants that a test is there to kill."""
    node = item.nodeid.removeprefix("tests/").partition("[")[0]
    values = item.callspec.params.values() if hasattr(item, "callspec") else ()
    here = [one for one in mutants if one.killed_by == node]
    return list(seeded_in(item.function, values, here))  # type: ignore[attr-defined]


def seeded_in(function: Any, values: Iterable[Any], mutants: Sequence[Mutant]) -> Iterator[Mutant]:
    """Yield the mutants that a test uses: it gets them as a parameter, or its code names them."""
    given = [part for value in values for part in (value if isinstance(value, tuple) else (value,))]
    names = set(_names(function.__code__))
    for mutant in mutants:
        seed = mutant.seeded()
        if seed is None or mutant.name.rpartition(".")[2] in names or any(part is seed for part in given):
            yield mutant


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
