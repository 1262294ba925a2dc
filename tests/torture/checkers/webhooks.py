"""What the receiver of webhooks took: every event at least once, and those of an aggregate in order."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..snapshot import Snapshot
from .finding import Finding

Taken = Mapping[str, Any]


def read(path: Path) -> list[Taken]:
    """Read what the receiver wrote down; it was killed at times, in the middle of a line too."""
    taken = []
    for line in path.read_text().splitlines():
        try:
            taken.append(json.loads(line))
        except ValueError:
            continue
    return taken


def complete_and_in_order(snapshot: Snapshot, taken: Sequence[Taken]) -> Finding:
    """Check that nothing is missing or unheard of, and that each event first came after the one before it."""
    finding = Finding("webhooks: every event, in order per aggregate")
    times = Counter(each["event_id"] for each in taken)
    in_log = {str(each.event_id): each for each in snapshot.log}
    finding.count("events", len(times))
    finding.count("repetitions", times.total() - len(times))
    for missing in in_log.keys() - times.keys():
        event = in_log[missing]
        finding.wrong.append(f"{event.event_type} at position {event.position} never reached the receiver")
    for stranger in times.keys() - in_log.keys():
        finding.wrong.append(f"{stranger} reached the receiver and is not in the log")
    reached: dict[tuple[str, str], int] = defaultdict(int)
    for each in taken:
        aggregate = each["aggregate_type"], each["aggregate_id"]
        version = each["aggregate_version"]
        if version > reached[aggregate] + 1:
            finding.wrong.append(f"{aggregate} version {version} came after version {reached[aggregate]}")
        reached[aggregate] = max(reached[aggregate], version)
    return finding
