"""Read the files of known answers."""

import csv
import json
import lzma
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, TextIO


class Unreadable(Exception):
    """A file of answers, or a report, is missing or is not what it should be."""


def table(folder: Path, name: str, columns: str) -> list[dict[str, str]]:
    """Read `<name>.csv` or `<name>.csv.xz`, which must have these columns, named in one text."""
    path = _find(folder, f"{name}.csv", f"{name}.csv.xz")
    with _opened(path) as file:
        reader = csv.DictReader(file, strict=True)
        missing = set(columns.split()) - set(reader.fieldnames or ())
        if missing:
            raise Unreadable(f"{path} has no column {', '.join(sorted(missing))}.")
        rows = list(reader)
    if not rows or any(None in row or None in row.values() for row in rows):
        raise Unreadable(f"{path} is empty or has rows that are too short or too long.")
    return rows


def dates(folder: Path, name: str) -> list[date]:
    """Read the column `date` of a table."""
    try:
        return [date.fromisoformat(row["date"]) for row in table(folder, name, "date")]
    except ValueError as error:
        raise Unreadable(f"{folder / name}: {error}") from error


def document(folder: Path, name: str) -> dict[str, Any]:
    """Read `<name>.json`, an object."""
    path = _find(folder, f"{name}.json")
    with _opened(path) as file:
        return dict(json.load(file))


def records(path: Path) -> list[dict[str, Any]]:
    """Read a file of JSON lines."""
    with _opened(path) as file:
        return [dict(json.loads(line)) for line in file if line.strip()]


def _find(folder: Path, *names: str) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise Unreadable(f"{folder} has no file {' or '.join(names)}.")


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """Open a text, packed or not; whatever goes wrong while it is read becomes Unreadable."""
    try:
        with (
            lzma.open(path, "rt", encoding="utf-8")
            if path.suffix == ".xz"
            else path.open(encoding="utf-8") as file
        ):
            yield file
    except (OSError, EOFError, lzma.LZMAError, ValueError, TypeError, csv.Error) as error:
        raise Unreadable(f"{path} cannot be read: {error}") from error
