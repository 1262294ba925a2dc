"""What an examination says: one finding for each thing that is found, with how to mend it."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from django.db.backends.utils import CursorWrapper


class Severity(IntEnum):
    """How bad a finding is; the exit code of `doctor` is the worst one's."""

    INFO = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found; `id` stays the same for the same kind of thing."""

    id: str
    severity: Severity
    what: str
    mend: str


def rows(cursor: CursorWrapper, query: str, parameters: list[Any] | None = None) -> list[dict[str, Any]]:
    """Run a query and give its rows by the names of its columns."""
    cursor.execute(query, parameters)
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def span(seconds: float) -> str:
    """Write a time for people: 12 s, 5 min, 3.5 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.1f} h"


def size(octets: float) -> str:
    """Write a size for people: 8 kB, 120 MB."""
    return f"{octets / 1_024:.0f} kB" if octets < 2**20 else f"{octets / 2**20:.0f} MB"
