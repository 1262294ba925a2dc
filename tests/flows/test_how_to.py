"""The how-to pages on read models are executed: their code, their commands, and the numbers of lines that they tell."""

import importlib
import json
import re
import shlex
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.checks import run_checks
from django.core.checks.database import Tags
from django.core.management import call_command
from django.db import connection
from django.db.migrations.state import ProjectState
from pytest_django import Settings

import orders_read.projections
from orders_read import queries
from outbox.checks import check_settings
from outbox.delivery import drain
from tests.orders_write.shop import NOON, customer, do, list_products, wish

PAGES = Path(django_settings.BASE_DIR) / "docs" / "how-to"
BLOCK = re.compile(r"^ *```(\w+)(?: (\w+)=(\S+))?\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
MODULE = "orders_read.projections.orders_by_hour"


def page(name: str) -> str:
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


def blocks(name: str) -> list[tuple[str, str, str, str]]:
    """List the code of a page: language, kind, name, text."""
    return BLOCK.findall(page(name))


def code(name: str, kind: str, which: str) -> str:
    (text,) = (text for _, found, named, text in blocks(name) if (found, named) == (kind, which))
    return text


def run_commands(name: str, number: int) -> None:
    """Run the commands of one of a page's blocks, each of which must end well."""
    text = [text for language, _, _, text in blocks(name) if language == "console"][number]
    commands = [line.strip().removeprefix("$ manage.py ") for line in text.splitlines()]
    assert commands
    for command in commands:
        call_command(*shlex.split(command), stdout=StringIO())


def changed(text: str, change: str) -> str:
    """Apply the lines of a change: what stands after `-` becomes what stands after `+`."""
    for removed, added in re.findall(r"((?:^-.*\n)+)((?:^\+.*\n)+)", change, re.MULTILINE):
        old, new = (re.sub(r"^[-+]", "", part, flags=re.MULTILINE) for part in (removed, added))
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def operations(text: str) -> list[Any]:
    names: dict[str, Any] = {}
    exec(compile(text, "migration", "exec"), names)
    found: list[Any] = names["Migration"].operations
    return found


def load(folder: Path, text: str) -> ModuleType:
    """Put the module into its package, which lies in a folder of the test."""
    (folder / "orders_by_hour.py").write_text(text, encoding="utf-8")
    sys.modules.pop(MODULE, None)
    importlib.invalidate_caches()
    return importlib.import_module(MODULE)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[Path]:
    """Give a folder whose modules belong to the package of projections, one of which the settings name."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(
        orders_read.projections, "__path__", [*orders_read.projections.__path__, str(tmp_path)]
    )
    settings.OUTBOX = settings.OUTBOX | {
        "SUBSCRIBERS": [*settings.OUTBOX["SUBSCRIBERS"], f"{MODULE}.projection"]
    }
    yield tmp_path
    sys.modules.pop(MODULE, None)


@pytest.fixture
def added(database: None, folder: Path) -> Iterator[str]:
    """Add the read model as the page says, to a shop that has sold something; give the text of its module."""
    list_products("mug")
    buyer = customer("ada")
    do(wish(buyer, ("mug", 2)), now=NOON)
    do(wish(buyer, ("mug", 3)), now=NOON.replace(hour=17))
    drain()
    text = code("add-a-read-model", "file", "orders_read/projections/orders_by_hour.py")
    load(folder, text)
    (operation,) = operations(
        code("add-a-read-model", "file", "orders_read/migrations/0006_orders_by_hour.py")
    )
    with connection.schema_editor() as editor:
        operation.database_forwards("orders_read", editor, ProjectState(), ProjectState())
    yield text
    load(folder, text)
    with connection.schema_editor() as editor:
        operation.database_backwards("orders_read", editor, ProjectState(), ProjectState())


def ask(query: str) -> Any:
    """Define the page's query where queries are, and ask it."""
    names = {"_answer": queries._answer}
    exec(compile(query, "query", "exec"), names)
    return json.loads(names["orders_by_hour"]())  # type: ignore[call-arg]


def rows(columns: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM read_orders_by_hour ORDER BY hour")
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def version_notes() -> list[str]:
    found = run_checks(tags=[Tags.database], databases=["default"])
    return [str(one.hint) for one in found if one.id == "outbox.W002"]


def test_a_read_model_is_added_as_the_page_says(added: str) -> None:
    query = code("add-a-read-model", "query", "orders_by_hour")
    assert check_settings(None) == []
    assert ask(query) == []

    drain()
    run_commands("add-a-read-model", 0)

    both = [{"hour": 12, "orders": 1, "total": "5.0000"}, {"hour": 17, "orders": 1, "total": "7.5000"}]
    assert ask(query) == both


def test_a_field_is_added_as_the_page_says(added: str, folder: Path) -> None:
    drain()
    load(folder, changed(added, code("add-a-field", "change", "orders_by_hour")))
    assert version_notes() == ["`manage.py rebuild_projection orders_by_hour` shows what the code has."]
    assert rows("hour, orders") == [(12, 1), (17, 1)]  # the old generation goes on

    run_commands("add-a-field", 0)

    assert rows("hour, units") == [(12, 2), (17, 3)]
    assert version_notes() == []
    run_commands("add-a-field", 1)
    assert rows("hour, units") == [(12, None), (17, None)]
    run_commands("add-a-field", 1)
    assert rows("hour, units") == [(12, 2), (17, 3)]


def test_the_pages_tell_how_many_lines_it_takes() -> None:
    code_of_model = [text for language, kind, _, text in blocks("add-a-read-model") if kind]
    lines = sum(bool(line.strip()) for text in code_of_model for line in text.splitlines())
    change = code("add-a-field", "change", "orders_by_hour")
    added_lines = len([line for line in change.splitlines() if line.startswith("+")])
    assert f"**{lines} lines**" in page("add-a-read-model")
    assert f"**{added_lines} lines**" in page("add-a-field")


@pytest.mark.parametrize("name", ["add-a-read-model", "add-a-field", "rebuild"])
def test_every_page_that_is_linked_exists(name: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page(name)):
        assert (PAGES / target).exists(), target
