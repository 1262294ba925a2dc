"""How much of the log is kept: whole partitions that everybody has passed are detached, and can be attached again.

A detached partition stays as a table with its events, its keys and its triggers. Without it the log cannot be
replayed, so whoever wants to read all of it asks `require_whole_log` first.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from . import partitions
from .connection import one_value
from .exceptions import ForeignRows, LogIsPruned, LogIsRead, RetentionAtWork
from .partitions import Partition
from .statements import statement

RETENTION_LOCK = 0x6B656570  # "keep"; the second key is 0
TRY_LOCK = "SELECT pg_try_advisory_lock($1::int, 0)"
UNLOCK = "SELECT pg_advisory_unlock($1::int, 0)"
SHARE_LOCK = "SELECT pg_advisory_xact_lock_shared($1::int, 0)"

STANDINGS = statement("retention_standings")
HEAD = "SELECT coalesce(max(position), 0) FROM event_log"

# The rows' trigger goes when a partition is detached, as it belongs to the log; this one is the partition's own.
GUARD = """
CREATE OR REPLACE TRIGGER append_only_detached BEFORE UPDATE OR DELETE ON {name}
    FOR EACH ROW EXECUTE FUNCTION event_log_is_append_only()
"""
DETACH = "ALTER TABLE event_log DETACH PARTITION {name} CONCURRENTLY"
FINISH = "ALTER TABLE event_log DETACH PARTITION {name} FINALIZE"
ATTACH = "ALTER TABLE event_log ATTACH PARTITION {name} FOR VALUES FROM ({first}) TO ({beyond})"
NEWEST = "SELECT max(recorded_at) FROM {name}"
CONTENT = "SELECT count(*), min(position), max(position) FROM {name}"
FORGET_PERSONS = (
    "DELETE FROM event_personal USING {name} AS gone WHERE gone.event_id = event_personal.event_id"
)

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Standing:
    """A reader of the log, which needs nothing up to `position` any more."""

    reader: str
    position: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Which partitions can be detached, oldest first, and who needs the next one, if it is old enough at all."""

    partitions: tuple[Partition, ...]
    held: Partition | None = None
    holders: tuple[Standing, ...] = ()


def plan(connection: Connection, before: datetime) -> Plan:
    """Find the partitions whose newest event was recorded before a moment and which everybody has passed.

    Reads each of them whole. Stops at the first that must stay, and always at the one that holds the head.
    """
    cursor = psycopg.RawCursor(connection)
    readers = standings(connection)
    head = int(one_value(cursor.execute(HEAD)))
    found: list[Partition] = []
    for partition in partitions.attached(cursor):
        if partition.is_pending:
            continue
        if partition.beyond > head or newest_event(connection, partition) >= before:
            break
        holders = tuple(one for one in readers if one.position < partition.last)
        if holders:
            return Plan(tuple(found), partition, holders)
        found.append(partition)
    return Plan(tuple(found))


def standings(connection: Connection) -> list[Standing]:
    """List who reads the log, the one that needs most of it first."""
    return [Standing(*row) for row in psycopg.RawCursor(connection).execute(STANDINGS).fetchall()]


def publisher_standing(connection: Connection, subscriber: str) -> int:
    """Say up to which position a publisher that is enabled needs the log no more."""
    return {one.reader: one.position for one in standings(connection)}[f"publisher {subscriber}"]


@contextmanager
def alone(connection: Connection) -> Iterator[None]:
    """Be the only one who detaches, and let no reader of the whole log begin meanwhile; raises RetentionAtWork."""
    cursor = psycopg.RawCursor(connection)
    if not one_value(cursor.execute(TRY_LOCK, [RETENTION_LOCK])):
        raise RetentionAtWork
    try:
        yield
    finally:
        if not connection.closed:
            cursor.execute(UNLOCK, [RETENTION_LOCK])


def detach(connection: Connection, partition: Partition, wait_seconds: float) -> None:
    """Take a partition out of the log while everybody goes on, outside any transaction.

    Waits for those who read the log now. Raises LogIsRead when they take longer: the partition is then left half
    detached, no longer read by new statements, and `finish` does the rest.
    """
    with _patience(connection, partition, wait_seconds):
        for step in (GUARD, DETACH):
            connection.execute(_of(step, partition))


def finish(connection: Connection, wait_seconds: float) -> list[Partition]:
    """Detach what an interrupted run left half detached; raises LogIsRead like `detach`."""
    pending = [one for one in partitions.attached(psycopg.RawCursor(connection)) if one.is_pending]
    for partition in pending:
        with _patience(connection, partition, wait_seconds):
            connection.execute(_of(FINISH, partition))
    return pending


def attach(connection: Connection, partition: Partition, wait_seconds: float) -> None:
    """Put a detached partition back, in a transaction of its own.

    Its CHECK says which positions it holds, so the server scans nothing while it holds the log, and blocks nobody.
    Raises ForeignRows for a table whose rows are not exactly the events of its positions.
    """
    whole = (partition.beyond - partition.first, partition.first, partition.last)
    if _content(connection, partition) != whole:
        raise ForeignRows(partition=partition.name)
    with _patience(connection, partition, wait_seconds):
        connection.execute(_of(ATTACH, partition))


def drop(connection: Connection, partition: Partition) -> int:
    """Drop a detached partition and what its events say of persons, for ever; return how many such rows there were."""
    with connection.transaction():
        forgotten = connection.execute(_of(FORGET_PERSONS, partition)).rowcount
        connection.execute(_of("DROP TABLE {name}", partition))
    return forgotten


def newest_event(connection: Connection, partition: Partition) -> datetime:
    """Say when the newest event of a full partition was recorded; reads all of it."""
    newest: datetime = one_value(connection.execute(_of(NEWEST, partition)))
    return newest


def pruned_up_to(connection: Connection) -> int:
    """Say up to which position events are missing from the log; 0 for a whole log."""
    missing, beyond = 0, 1
    for partition in partitions.attached(psycopg.RawCursor(connection)):
        if partition.is_pending:
            continue
        if partition.first > beyond:
            missing = partition.first - 1
        beyond = partition.beyond
    return missing


def require_whole_log(connection: Connection) -> None:
    """Raise LogIsPruned unless the log reaches back to position 1."""
    require_log_after(connection, 0)


def require_log_after(connection: Connection, position: int) -> None:
    """Raise LogIsPruned unless the log holds everything after a position.

    Until the caller's transaction ends nothing is detached, so that a reader can note down in it where it stands;
    waits for a partition that is being detached.
    """
    psycopg.RawCursor(connection).execute(SHARE_LOCK, [RETENTION_LOCK])
    missing = pruned_up_to(connection)
    if missing > position:
        raise LogIsPruned(pruned_up_to=missing)


@contextmanager
def _patience(connection: Connection, partition: Partition, wait_seconds: float) -> Iterator[None]:
    """Wait for locks so long, then give up with LogIsRead."""
    connection.execute(sql.SQL("SET lock_timeout = {}").format(sql.Literal(f"{wait_seconds:g}s")))
    try:
        yield
    except psycopg.errors.LockNotAvailable as error:
        raise LogIsRead(partition=partition.name) from error
    finally:
        if not connection.closed:
            connection.execute("RESET lock_timeout")


def _content(connection: Connection, partition: Partition) -> tuple[int, int, int]:
    rows, first, last = connection.execute(_of(CONTENT, partition)).fetchone() or (0, 0, 0)
    return rows, first, last


def _of(statement: str, partition: Partition) -> sql.Composed:
    return sql.SQL(statement).format(
        name=sql.Identifier(partition.name),
        first=sql.Literal(partition.first),
        beyond=sql.Literal(partition.beyond),
    )
