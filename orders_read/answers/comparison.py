"""What comparing leads to: how many answers are equal, and how the first others differ."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

DIFFERENCES_SHOWN = 5


@dataclass(slots=True)
class Comparison:
    """The outcome for one file of answers, or one part of it; `unanswered` names what no read model tells yet."""

    name: str
    compared: int = 0
    different: int = 0
    first_differences: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)

    def compare(self, what: str, expected: Any, found: Any) -> None:
        """Count one answer; numbers are equal by value, however they are written."""
        self.compared += 1
        if plain(expected) != plain(found):
            self.different += 1
            if len(self.first_differences) < DIFFERENCES_SHOWN:
                self.first_differences.append(f"{what}: expected {_shown(expected)}, found {_shown(found)}")


def compare_rows(name: str, expected: Mapping[Any, Any], found: Mapping[Any, Any]) -> Comparison:
    """Compare rows by key; a row that only one side has is a difference."""
    comparison = Comparison(name)
    for key in sorted(expected.keys() | found.keys(), key=str):
        comparison.compare(_shown(key), expected.get(key, "nothing"), found.get(key, "nothing"))
    return comparison


def plain(value: Any) -> Any:
    """Return a value with every number in it as a Decimal, so that 2.50, "2.5" and 2.5000 are the same."""
    if isinstance(value, str):
        return Decimal(value) if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value) else value
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, Iterable):
        return tuple(plain(part) for part in value)
    return value


def _shown(value: Any) -> str:
    if isinstance(value, str | Decimal | int):
        return str(value)
    parts = [_shown(part) for part in value]
    shown = " ".join(parts[:12])
    return shown if len(parts) <= 12 else f"{shown} …"
