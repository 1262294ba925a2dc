"""How far each subscriber is behind, computed from the tables, so that a dead worker cannot look healthy."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import psycopg
from django.db import OperationalError, transaction
from django.db import connection as default_connection

from .exceptions import TablesAreLocked
from .heartbeats import ALIVE_SECONDS, PUBLISHERS
from .options import options
from .statements import statement
from .subscribers import projections
from .versions import difference

LAG = statement("lag").format(alive_seconds=ALIVE_SECONDS, publishers=PUBLISHERS)
# A look must not hang behind somebody's lock: whoever looks wants to know at once. Of small tables that were never
# analyzed the planner expects so much that it would start parallel workers, which takes longer than all the rest.
LIMITS = (
    "SELECT set_config('lock_timeout', '2s', true), set_config('max_parallel_workers_per_gather', '0', true)"
)
OF_ALL = ("head", "messages", "workers", "silent_seconds")


class Status(IntEnum):
    """How a subscriber does, or all of them, worse values being higher.

    RETRYING: some events failed and are tried again by themselves. BEHIND: the oldest undelivered event is older than
    the subscriber's SLA allows. PAUSED: a person stopped it, with a reason. PARKED: events wait for a person.
    STALLED: work waits, and the checkpoint has not moved for a while. FAILING: the subscriber stops as a whole and
    tries again. MISSING: it has no tables. NOT_RUNNING: no worker shows a sign of life.
    """

    OK = 0
    RETRYING = 1
    BEHIND = 2
    PAUSED = 3
    PARKED = 4
    STALLED = 5
    FAILING = 6
    MISSING = 7
    NOT_RUNNING = 8

    @property
    def exit_code(self) -> int:
        """Give the exit code of `delivery_status`: 0 ok, 1 behind, 2 a person is needed, 3 not running."""
        if self is Status.OK:
            return 0
        if self is Status.NOT_RUNNING:
            return 3
        return 1 if self <= Status.PAUSED else 2

    @property
    def text(self) -> str:
        """Write it for people."""
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """Where one generation of a subscriber stands; for one outside the database, where its slowest partition does.

    `events_behind` counts messages in the outbox too; `seconds_behind` is the age of the oldest undelivered event;
    `still_seconds` is for how long work has waited without an advance of the checkpoint. `attempts` have failed since
    the last success of a subscriber that stops as a whole; `is_put_off` says that the next is not due yet. `waiting`
    and `parked` count the open dead letters; `paused` is the reason of a pause, or empty. `version_note` says how code
    and generation differ, or is empty. Of the last verification of the generation: its position, how long ago it was
    (None when there was none), and how many of the rows that differed nobody has repaired.
    """

    kind: str
    subscriber: str
    generation: int
    state: str
    position: int = 0
    head: int = 0
    events_behind: int = 0
    seconds_behind: float = 0.0
    still_seconds: float = 0.0
    sla_seconds: float
    attempts: int = 0
    error: str = ""
    failing_seconds: float = 0.0
    is_put_off: bool = False
    waiting: int = 0
    parked: int = 0
    paused: str = ""
    version: int = 0
    version_note: str = ""
    verified_position: int | None = None
    verified_seconds: float | None = None
    rows_different: int = 0

    @property
    def is_shown(self) -> bool:
        """Tell whether somebody reads it: not one that is being built, or kept for a roll-back alone."""
        return self.state not in ("building", "kept")

    @property
    def troubles(self) -> tuple[Status, ...]:
        """List all that is not as it should be; a pause explains everything but dead letters and missing tables."""
        return tuple(self._troubles())

    @property
    def status(self) -> Status:
        """Give the worst trouble."""
        return max(self.troubles, default=Status.OK)

    def _troubles(self) -> Iterator[Status]:
        if self.waiting:
            yield Status.RETRYING
        if self.parked:
            yield Status.PARKED
        if self.state == "missing":
            yield Status.MISSING
        if self.paused:
            yield Status.PAUSED
            return
        if self.state == "building":  # from the beginning of the log, at its own pace
            return
        if self.seconds_behind > self.sla_seconds:
            yield Status.BEHIND
        if self.still_seconds > options().stall_seconds:
            yield Status.STALLED
        if self.attempts:
            yield Status.FAILING


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look at the tables of delivery has found.

    `messages` wait in the outbox for the relay; `workers` counts those alive that relay and fold; `silent_seconds` have
    passed since the last sign of life of any, None when there was none within a day.
    """

    head: int
    messages: int
    workers: int
    silent_seconds: float | None
    subscribers: Sequence[Lag]

    @property
    def status(self) -> Status:
        """Sum up: the worst status of those that somebody reads, and whether anybody feeds them."""
        fed = [lag for lag in self.subscribers if lag.is_shown]
        worst = max((lag.status for lag in fed), default=Status.OK)
        is_fed = any(lag.state != "missing" for lag in fed)
        return Status.NOT_RUNNING if is_fed and not self.workers else worst


def look(connection: psycopg.Connection[Any] | None = None) -> Look:
    """Say where every subscriber stands, and which projection of the settings has no tables yet; one statement.

    Without a connection of a worker it is read on Django's. Raises TablesAreLocked rather than wait for long.
    """
    try:
        rows = _rows(connection)
    except (OperationalError, psycopg.errors.LockNotAvailable) as error:
        if isinstance(error.__cause__ or error, psycopg.errors.LockNotAvailable):
            raise TablesAreLocked from error
        raise
    found = [_lag(row) for row in rows if row["subscriber"] is not None]
    fed = {lag.subscriber for lag in found if lag.state == "live"}
    missing = [_missing(one.name) for one in projections() if one.name not in fed]
    of_all = {name: rows[0][name] for name in OF_ALL}
    return Look(**of_all, subscribers=[*found, *missing])


def lags() -> Sequence[Lag]:
    """Say where every subscriber stands."""
    return look().subscribers


def worst() -> Status:
    """Look, and sum up in one word."""
    return look().status


def sla_seconds(subscriber: str) -> float:
    """Say how old an undelivered event may be for a subscriber: its own setting, or the default's."""
    chosen = options().sla_seconds
    return float(chosen.get(subscriber, chosen.get("default", 10)))


def _rows(connection: psycopg.Connection[Any] | None) -> list[dict[str, Any]]:
    if connection is not None:
        with connection.transaction(), psycopg.RawCursor(connection) as cursor:
            return _read(cursor)
    with transaction.atomic(), default_connection.cursor() as cursor:
        return _read(cursor)


def _read(cursor: Any) -> list[dict[str, Any]]:
    cursor.execute(LIMITS)
    cursor.execute(LAG)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _lag(row: dict[str, Any]) -> Lag:
    own = {name: value for name, value in row.items() if name == "head" or name not in OF_ALL}
    digest = own.pop("statements_hash")
    note = ""
    if row["kind"] == "projection" and row["state"] == "live":
        note = difference(row["subscriber"], row["generation"], row["version"], digest)
    return Lag(**own, version_note=note, sla_seconds=sla_seconds(row["subscriber"]))


def _missing(subscriber: str) -> Lag:
    return Lag(
        kind="projection",
        subscriber=subscriber,
        generation=0,
        state="missing",
        error="has no live generation",
        sla_seconds=sla_seconds(subscriber),
    )
