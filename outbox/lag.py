"""How far each subscriber is behind, computed from the tables, so that a dead worker cannot look healthy."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from django.db import connection

from .options import options
from .statements import statement
from .subscribers import projections

LAG = statement("lag")


class Status(IntEnum):
    """How a subscriber does, worse values being higher; the exit codes of `delivery_status` are made of it."""

    OK = 0
    BEHIND = 1
    STALLED = 2
    FAILING = 3
    MISSING = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """Where one generation of a subscriber stands.

    `events_behind` counts messages in the outbox too; `seconds_behind` is the age of the oldest undelivered event.
    """

    subscriber: str
    generation: int
    state: str
    position: int
    head: int
    events_behind: int
    seconds_behind: float
    attempts: int
    error: str
    status: Status


def lags() -> list[Lag]:
    """Say where every generation stands, and which projection of the settings has no tables yet; one statement."""
    with connection.cursor() as cursor:
        cursor.execute(LAG)
        names = [column.name for column in cursor.description]
        found = [_lag(dict(zip(names, row, strict=True))) for row in cursor.fetchall()]
    fed = {lag.subscriber for lag in found if lag.state == "live"}
    return found + [_missing(one.name) for one in projections() if one.name not in fed]


def worst(found: Iterable[Lag]) -> Status:
    """Sum up: the worst status of those that live delivery feeds."""
    return max((lag.status for lag in found if lag.state != "building"), default=Status.OK)


def _lag(row: dict[str, Any]) -> Lag:
    return Lag(**row, status=_status(row["events_behind"], row["seconds_behind"], row["attempts"]))


def _status(events_behind: int, seconds_behind: float, attempts: int) -> Status:
    if attempts:
        return Status.FAILING
    if not events_behind:
        return Status.OK
    return Status.STALLED if seconds_behind > options().stalled_seconds else Status.BEHIND


def _missing(subscriber: str) -> Lag:
    return Lag(
        subscriber=subscriber,
        generation=0,
        state="missing",
        position=0,
        head=0,
        events_behind=0,
        seconds_behind=0,
        attempts=0,
        error="has no live generation",
        status=Status.MISSING,
    )
