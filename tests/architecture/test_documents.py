"""What the documents name is there: tests, mutants, drills, make's targets, commands and their options, other pages."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from outbox.lag import Status
from tests.drills.__main__ import DRILLS
from tests.mutants.table import TABLE

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OF_PROJECT = {"outbox", "orders_write", "orders_read", "tests.torture"}
OF_OTHERS = {"migrate", "check", "rqworker", "shell"}


def found(pattern: str) -> Iterator[tuple[str, str]]:
    """Yield what the pages say that fits a pattern, with the page's name."""
    for page in PAGES:
        for text in re.findall(pattern, page.read_text()):
            yield page.name, text


@pytest.mark.parametrize(("page", "path"), sorted(set(found(r"`(tests/[\w/]+\.py)`"))))
def test_a_test_that_is_named_is_there(page: str, path: str) -> None:
    assert (ROOT / path).exists()


def test_mutants_that_are_named_are_in_the_table() -> None:
    text = (ROOT / "docs" / "guarantees.md").read_text()
    named = {
        one for line in re.findall(r"\*\*Dies\.\*\*(.*)", text) for one in re.findall(r"`([\w. ]+)`", line)
    }
    assert named - {"id > last"} - {one.name for one in TABLE} == set()
    assert len(named) > 15


def test_each_guarantee_says_how_to_see_it_and_what_dies() -> None:
    sections = re.split(r"^## ", (ROOT / "docs" / "guarantees.md").read_text(), flags=re.MULTILINE)[1:]
    assert [section.split()[0] for section in sections] == [f"G{number}" for number in range(1, 11)]
    assert all("**See it.**" in section and "**Dies.**" in section for section in sections)


@pytest.mark.parametrize(("page", "line"), sorted(set(found(r"make ([a-z]+(?: NAME=\w+)?)`"))))
def test_a_target_of_make_that_is_named_is_there(page: str, line: str) -> None:
    target, _, drill = line.partition(" NAME=")
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert not drill or drill in DRILLS


def command_lines() -> list[tuple[str, str]]:
    """List the command lines of the pages that are complete, not names of commands in running text."""
    fenced_or_quoted = r"(?:^|`)manage\.py (\w+(?: [^`\n#…]+)?)(?:`|$|\s+#)"
    return sorted(
        {
            (page.name, line.strip())
            for page in PAGES
            for line in re.findall(fenced_or_quoted, page.read_text(), re.MULTILINE)
        }
    )


@pytest.mark.parametrize(("page", "line"), command_lines())
def test_a_command_that_is_named_is_there_with_its_options(page: str, line: str) -> None:
    words = shlex.split(line)
    name = words[0]
    if name in OF_OTHERS:
        return
    assert get_commands().get(name) in OF_PROJECT, f"{page}: there is no command {name}"
    parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
    known = {option for action in parser._actions for option in action.option_strings}
    used = {word.partition("=")[0].strip("[]") for word in words[1:] if word.strip("[]").startswith("--")}
    assert used - known == set(), f"{page}: {line}"


@pytest.mark.parametrize("line", [line for page, line in command_lines() if page == "operations.md"])
def test_what_an_operator_is_to_type_can_be_typed(line: str) -> None:
    name, *words = shlex.split(line)
    if name not in OF_OTHERS:
        load_command_class(get_commands()[name], name).create_parser("manage.py", name).parse_args(words)


@pytest.mark.parametrize(
    "status", [*(one.name.lower() for one in Status), "locked", "not_migrated", "unreachable"]
)
def test_an_operator_is_told_what_to_do_at_each_status(status: str) -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    assert status == "ok" or re.search(status.replace("_", "[_ ]"), text, re.IGNORECASE)


def test_every_command_is_in_the_reference() -> None:
    text = (ROOT / "docs" / "reference" / "commands.md").read_text()
    ours = {name for name, app in get_commands().items() if app in OF_PROJECT - {"tests.torture"}}
    assert {name for name in ours if f"`{name}`" not in text} == set()


LINKS = [(page, link) for page in PAGES for link in re.findall(r"\]\(([\w./-]+\.md)\)", page.read_text())]


@pytest.mark.parametrize(("page", "link"), LINKS, ids=lambda part: str(part)[-30:])
def test_a_page_that_is_linked_is_there(page: Path, link: str) -> None:
    assert (page.parent / link).exists()
