"""The log: positions dense, versions 1, 2, 3 … of every aggregate in the order of positions, nothing twice."""

from collections import Counter

from ..snapshot import Snapshot
from .finding import Finding


def log_in_order(snapshot: Snapshot) -> Finding:
    """Check positions, versions and identities."""
    finding = Finding("positions dense, versions in order")
    finding.count("events", len(snapshot.log))
    positions = [each.position for each in snapshot.log]
    for number, position in enumerate(positions, 1):
        if number != position:
            finding.wrong.append(f"position {number} is missing or there twice: {position} is in its place")
            break
    versions: Counter[tuple[str, int]] = Counter()
    for each in snapshot.log:
        versions[each.aggregate] += 1
        if versions[each.aggregate] != each.version:
            finding.wrong.append(
                f"{each.aggregate} has version {each.version} at position {each.position},"
                f" expected {versions[each.aggregate]}"
            )
    finding.count("aggregates", len(versions))
    for name in ("message_id", "event_id"):
        doubled = [
            key for key, count in Counter(getattr(each, name) for each in snapshot.log).items() if count > 1
        ]
        finding.expect(not doubled, f"{name} twice in the log: {doubled[:3]}")
    finding.expect(snapshot.waiting == 0, f"{snapshot.waiting} messages are still in the outbox")
    return finding


def delivered(snapshot: Snapshot) -> Finding:
    """Check that every subscriber has taken in everything, and that nothing is parked or failing."""
    finding = Finding("every subscriber has everything")
    head = snapshot.log[-1].position if snapshot.log else 0
    for row in snapshot.standing:
        finding.count("subscribers")
        finding.expect(row["position"] == head, f"{row['subscriber']} stands at {row['position']} of {head}")
    finding.expect(snapshot.standing, "nobody is fed")
    finding.count("dead letters that were delivered later", len(snapshot.settled))
    for row in snapshot.settled:
        finding.expect(row["state"] == "delivered", f"an event was skipped: {row}")
    for row in snapshot.letters:
        finding.wrong.append(
            f"dead letter of {row['subscriber']}, {row['state']}: {row['event_type']} at {row['position']},"
            f" {row['error_type']}: {row['error_message']}"
        )
    for row in snapshot.failures:
        finding.wrong.append(f"{row['subscriber']} fails: {row['error_type']}: {row['error_message']}")
    return finding
