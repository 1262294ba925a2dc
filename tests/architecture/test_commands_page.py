"""The reference of commands names every command of the project with its exit codes, and no other."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands, load_command_class

PAGE = (Path(settings.BASE_DIR) / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| `")
]
COMMANDS = {
    name: app for name, app in get_commands().items() if app in ("outbox", "orders_write", "orders_read")
}


def codes_of(text: str) -> set[str]:
    """Find exit codes: digits that stand alone."""
    return set(re.findall(r"(?<![\w-])\d(?!\w)", text))


def test_the_page_names_every_command_and_no_other() -> None:
    assert {name for cells in ROWS for name in re.findall(r"`(\w+)`", cells[0])} == {*COMMANDS}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_page_tells_the_exit_codes_that_the_help_tells(name: str) -> None:
    said = load_command_class(COMMANDS[name], name).help.partition("Exit code")[2]
    (row,) = (cells for cells in ROWS if f"`{name}`" in cells[0])
    assert codes_of(row[2]) >= codes_of(said)
    assert bool(said) == bool(row[2])
