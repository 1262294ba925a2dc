"""Look at dead letters, have them tried again, or have them skipped: what operators do by command and in the admin."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from . import actions
from .changes import announce
from .statements import statement

LETTERS = statement("operator_letters")
RETRY = """
UPDATE dead_letters SET state = 'waiting', attempts = 1, next_attempt_at = clock_timestamp(), skip_reason = NULL
 WHERE dead_letter_id = ANY (%s) AND state IN ('waiting', 'parked')
RETURNING dead_letter_id, subscriber
"""
SKIP = """
UPDATE dead_letters SET state = 'waiting', next_attempt_at = clock_timestamp(), skip_reason = %s
 WHERE dead_letter_id = ANY (%s) AND state IN ('waiting', 'parked')
RETURNING dead_letter_id, subscriber
"""
STATES = "SELECT state, count(*) FROM dead_letters WHERE dead_letter_id = ANY (%s) GROUP BY state"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which open dead letters are meant: those that fit everything that is said, all of them when nothing is."""

    ids: Collection[int] = ()
    subscriber: str | None = None
    event_type: str | None = None
    fingerprint: str | None = None
    aggregate_type: str | None = None
    aggregate_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLetter:
    """A dead letter as operators see it; `waiting_events` stand in the log behind it, for the same aggregate."""

    dead_letter_id: int
    subscriber: str
    generation: int
    state: str
    position: int
    event_type: str
    schema_version: int
    aggregate_type: str
    aggregate_id: int
    aggregate_version: int
    attempts: int
    fingerprint: str
    error_message: str
    first_failed_at: datetime
    next_attempt_at: datetime | None
    waiting_events: int


@dataclass(frozen=True, slots=True)
class LetterGroup:
    """Dead letters of one event type with one fingerprint: in all likelihood one cause."""

    subscriber: str
    event_type: str
    fingerprint: str
    letters: tuple[OpenLetter, ...]


def open_letters(selection: Selection) -> list[OpenLetter]:
    """List the open dead letters that are meant, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            LETTERS,
            {
                "ids": list(selection.ids),
                "subscriber": selection.subscriber,
                "event_type": selection.event_type,
                "fingerprint": selection.fingerprint,
                "aggregate_type": selection.aggregate_type,
                "aggregate_id": selection.aggregate_id,
            },
        )
        names = [column.name for column in cursor.description]
        return [OpenLetter(**dict(zip(names, row, strict=True))) for row in cursor.fetchall()]


def grouped(letters: Collection[OpenLetter]) -> list[LetterGroup]:
    """Group dead letters by subscriber, event type and fingerprint, the largest group first."""
    groups: dict[tuple[str, str, str], list[OpenLetter]] = {}
    for letter in letters:
        groups.setdefault((letter.subscriber, letter.event_type, letter.fingerprint), []).append(letter)
    made = [LetterGroup(*key, tuple(found)) for key, found in groups.items()]
    return sorted(made, key=lambda group: (-len(group.letters), group.subscriber, group.event_type))


def retry(letters: Collection[OpenLetter], actor: str, reason: str = "") -> int:
    """Have dead letters tried again at once, with all their automatic attempts; return how many were still open."""
    return _ask_for("retry_dead_letters", RETRY, [], letters, actor, reason)


def skip(letters: Collection[OpenLetter], actor: str, reason: str) -> int:
    """Have the events of dead letters left out for ever; return how many were still open.

    What waits behind them is delivered. The read models then differ from a replay of the log, for which the reason
    stands in the record of operators' actions.
    """
    return _ask_for("skip_dead_letters", SKIP, [reason], letters, actor, reason)


def _ask_for(
    action: str,
    statement: str,
    parameters: list[Any],
    letters: Collection[OpenLetter],
    actor: str,
    reason: str,
) -> int:
    ids = [letter.dead_letter_id for letter in letters]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, [*parameters, ids])
        touched: dict[str, list[int]] = {}
        for dead_letter_id, subscriber in cursor.fetchall():
            touched.setdefault(subscriber, []).append(dead_letter_id)
        for subscriber, found in touched.items():
            actions.record(connection, actor, action, subscriber, reason, dead_letters=found)
        announce()
    return sum(map(len, touched.values()))


def states(letters: Collection[OpenLetter]) -> dict[str, int]:
    """Count what became of dead letters, by state."""
    with connection.cursor() as cursor:
        cursor.execute(STATES, [[letter.dead_letter_id for letter in letters]])
        return dict(cursor.fetchall())
