"""Tests that the glossary and the code use the same words."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = ROOT / "docs" / "glossary.md"
PACKAGES = ("config", "orders_read", "orders_write", "outbox", "templates", "static", "benchmarks")
CODE = {".py", ".sql", ".html", ".css", ".js"}


def rows(text):
    """Read (word, [banned words]) from the tables of a glossary."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and cells[0] not in {"word", "---"}:
            yield cells[0], [word.strip() for word in cells[2].split(",")]


def pattern(word):
    """Match a word or its plural, however written: dead letter, dead_letters, DeadLetter."""
    return re.compile(r"(?<![A-Za-z0-9])(?i:" + r"[\s_-]?".join(word.split()) + r"s?)(?![a-z0-9])")


@cache
def code():
    paths = (path for name in PACKAGES for path in (ROOT / name).rglob("*"))
    return {path: path.read_text() for path in paths if path.suffix in CODE and "vendor" not in path.parts}


@cache
def documents():
    paths = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return {path: path.read_text() for path in paths if path != GLOSSARY}


WORDS = dict(rows(GLOSSARY.read_text()))


@pytest.mark.parametrize("word", WORDS)
def test_every_word_of_the_glossary_is_used(word):
    assert any(pattern(word).search(text) for text in (code() | documents()).values())


@pytest.mark.parametrize("banned", sorted({banned for words in WORDS.values() for banned in words}))
def test_no_banned_synonym_is_used(banned):
    assert [
        str(path.relative_to(ROOT)) for path, text in code().items() if pattern(banned).search(text)
    ] == []


def test_a_word_stands_once_in_the_glossary():
    assert len(list(rows(GLOSSARY.read_text()))) == len(WORDS)


@pytest.mark.parametrize(
    "text", ["event store", "event_store", "EventStore", "the event stores,", "EventStoreError"]
)
def test_a_banned_synonym_is_found_however_it_is_written(text):
    assert pattern("event store").search(text)


def test_a_banned_synonym_is_not_found_inside_another_word():
    assert not pattern("shard").search("shardlow")
