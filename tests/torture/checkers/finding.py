"""What a check found."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

MOST_SHOWN = 5


@dataclass(slots=True)
class Finding:
    """One check: how much it looked at, and everything that is wrong."""

    check: str
    counts: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def count(self, what: str, number: int = 1) -> None:
        """Count what was looked at."""
        self.counts[what] = self.counts.get(what, 0) + number

    def expect(self, is_so: object, otherwise: str) -> None:
        """Note what is wrong unless it is so."""
        if not is_so:
            self.wrong.append(otherwise)

    def __str__(self) -> str:
        counts = ", ".join(f"{number} {what}" for what, number in self.counts.items())
        lines = [f"{'WRONG' if self.wrong else 'ok   '} {self.check}: {counts}"]
        lines += [f"        {each[:400]}" for each in self.wrong[:MOST_SHOWN]]
        if len(self.wrong) > MOST_SHOWN:
            lines.append(f"        and {len(self.wrong) - MOST_SHOWN} more")
        return "\n".join(lines)


def compare(
    finding: Finding, table: str, found: Mapping[Hashable, Any], expected: Mapping[Hashable, Any]
) -> None:
    """Compare two tables row for row and column for column."""
    finding.count(f"rows of {table}", len(found))
    for key in expected.keys() - found.keys():
        finding.wrong.append(f"{table} {key} is missing")
    for key in found.keys() - expected.keys():
        finding.wrong.append(f"{table} {key} should not be")
    for key in expected.keys() & found.keys():
        if found[key] != expected[key]:
            finding.wrong.append(f"{table} {key}: {_difference(found[key], expected[key])}")


def by_key(rows: Iterable[Mapping[str, Any]], *columns: str) -> dict[Hashable, Mapping[str, Any]]:
    """Give rows by their keys."""
    return {tuple(row[column] for column in columns): row for row in rows}


def _difference(found: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
    columns = sorted(
        column for column in found.keys() | expected.keys() if found.get(column) != expected.get(column)
    )
    return "; ".join(
        f"{column} is {str(found.get(column))[:200]}, should be {str(expected.get(column))[:200]}"
        for column in columns
    )
