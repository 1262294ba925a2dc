"""One key, one effect, one answer: the answer of a command is stored in the command's own transaction.

The caller's key is claimed by a transaction-scoped advisory lock, so a second request under the same key is told at
once that the first is still running; the row that holds the answer is written together with what the command did.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .exceptions import KeyReused

# Raised by claim_idempotency_keys (migration 0002), so that nothing behind the claim waits for a lock. The function
# takes the locks, then reads: a lock that was just freed belongs to a transaction whose row an older snapshot lacks.
STILL_RUNNING = "IK409"


@dataclass(frozen=True, slots=True)
class Key:
    """The caller's name of a request: `scope` says whose and for which route, `fingerprint` (bytes) what was asked."""

    scope: str
    value: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the caller gets, now and on every repetition."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


def stored_answers(rows: Iterable[Mapping[str, Any]], keys: Iterable[Key]) -> dict[Key, Answer]:
    """Return the answers that stand already; raise KeyReused when a key was used for another request."""
    by_name = {(row["scope"], row["key"]): row for row in rows}
    found = {}
    for key in keys:
        row = by_name.get((key.scope, key.value))
        if row is not None:
            if bytes.fromhex(row["fingerprint"]) != key.fingerprint:
                raise KeyReused(key=key.value)
            found[key] = Answer(status=row["status"], headers=row["headers"], body=row["body"])
    return found
