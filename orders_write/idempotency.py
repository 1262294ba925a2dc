"""One key, one effect, one answer: the answer of a command is stored in the command's own transaction.

The caller's key is claimed by a transaction-scoped advisory lock, so a second request under the same key is told at
once that the first is still running; the row that holds the answer is written together with what the command did.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from .exceptions import KeyReused

# The function takes the locks, then reads with a newer snapshot: a lock that was just freed belongs to a transaction
# whose row an older one cannot see. It raises STILL_RUNNING, so that nothing behind it in the pipeline waits.
CLAIM = "SELECT scope, key, fingerprint, status, headers, body FROM claim_idempotency_keys($1::text[], $2::text[])"
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


def stored_answers(rows: Sequence[tuple[Any, ...]], keys: Sequence[Key]) -> dict[Key, Answer]:
    """Return the answers that stand already; raise KeyReused when a key was used for another request."""
    by_name = {(scope, value): row for scope, value, *row in rows}
    found = {}
    for key in keys:
        row = by_name.get((key.scope, key.value))
        if row is not None:
            fingerprint, status, headers, body = row
            if bytes(fingerprint) != key.fingerprint:
                raise KeyReused(key=key.value)
            found[key] = Answer(
                status=status, headers=orjson.loads(headers), body=body
            )  # Django leaves jsonb as text
    return found
