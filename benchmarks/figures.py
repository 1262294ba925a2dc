"""What was measured, beside its target and its peer, as one table in Markdown and JSON."""

import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One quantity; `target` and `peer` are in its unit, `peer` was measured in the same run."""

    row: str
    quantity: str
    unit: str
    measured: float
    target: float | None = None
    lower_is_better: bool = False
    peer: float | None = None
    peer_name: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times better than the peer."""
        if not self.peer or not self.measured:
            return None
        return self.peer / self.measured if self.lower_is_better else self.measured / self.peer

    @property
    def is_reached(self) -> bool | None:
        """Whether the target is reached; None where there is none."""
        if self.target is None:
            return None
        return self.measured <= self.target if self.lower_is_better else self.measured >= self.target


def write(
    figures: Sequence[Figure], *, quick: bool, whole: bool, seconds: float, busy_before_percent: float
) -> Path:
    """Write both files and return the path of the Markdown; only a whole run that is not quick is the latest."""
    name = "latest" if whole and not quick else "partial"
    RESULTS.mkdir(exist_ok=True)
    said = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "busy_before_percent": busy_before_percent,
        "quick": quick,
        "seconds": round(seconds),
        "figures": [asdict(one) | {"ratio": one.ratio, "is_reached": one.is_reached} for one in figures],
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(said, indent=1) + "\n")
    path = RESULTS / f"{name}.md"
    path.write_text(f"# Figures\n\n{_preface(said)}\n\n{table(figures)}\n")
    return path


def table(figures: Iterable[Figure]) -> str:
    """Return the figures as a Markdown table; a ratio above 1 is better than the peer."""
    head = ["", "quantity", "to reach", "measured", "peer or limit in the same run", "ratio", ""]
    rows = [head, ["---", "---", "---:", "---:", "---", "---:", "---"], *map(_row, figures)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def machine() -> str:
    """Describe what it was measured on."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def _preface(said: dict[str, object]) -> str:
    kind = "A quick run: too short to judge by." if said["quick"] else "Medians of repeated runs."
    return (
        f"{kind} Measured {said['at']} in {said['seconds']} s on {said['machine']}, which was "
        f"{said['busy_before_percent']:.0f} % busy before; servers and clients share it, and fsync is on. "
        "A ratio above 1 is better than the peer."
    )


def _row(one: Figure) -> list[str]:
    sign = "≤" if one.lower_is_better else "≥"
    target = "" if one.target is None else f"{sign} {_number(one.target)} {one.unit}"
    peer = "" if one.peer is None else f"{one.peer_name}: {_number(one.peer)} {one.unit}"
    ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
    verdict = {True: "reached", False: "missed", None: ""}[one.is_reached]
    return [one.row, one.quantity, target, f"{_number(one.measured)} {one.unit}", peer, ratio, verdict]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
