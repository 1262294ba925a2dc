"""The record of rebuilds: how far each has come, so that it can be watched, cancelled and resumed."""

import os
import platform
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

COLUMNS = """rebuild_id, projection, generation, phase, events_done, events_total, indexes_done, folding_seconds, actor,
             reason, worker, error, cancel_requested, started_at, updated_at, finished_at"""
START = f"""
INSERT INTO projection_rebuilds (projection, generation, events_total, actor, reason, worker)
VALUES (%s, %s, %s, %s, %s, %s) RETURNING {COLUMNS}
"""
UNFINISHED = f"SELECT {COLUMNS} FROM projection_rebuilds WHERE projection = %s AND NOT is_finished"
NEWEST = (
    f"SELECT DISTINCT ON (projection) {COLUMNS} FROM projection_rebuilds ORDER BY projection, rebuild_id DESC"
)
TAKE = "UPDATE projection_rebuilds SET worker = %s, error = '', updated_at = clock_timestamp() WHERE rebuild_id = %s"
NOTE = """
UPDATE projection_rebuilds
   SET phase = %(phase)s, events_done = %(events_done)s, events_total = %(events_total)s,
       indexes_done = %(indexes_done)s, folding_seconds = folding_seconds + %(folding_seconds)s, error = %(error)s,
       updated_at = clock_timestamp(),
       finished_at = CASE WHEN %(phase)s IN ('swapped', 'cancelled') THEN clock_timestamp() END
 WHERE rebuild_id = %(rebuild_id)s
RETURNING cancel_requested
"""
CANCEL = "UPDATE projection_rebuilds SET cancel_requested = true WHERE projection = %s AND NOT is_finished"
RATES = """
SELECT projection, sum(events_done) / sum(folding_seconds) FROM projection_rebuilds
 WHERE phase = 'swapped' AND folding_seconds > 0 GROUP BY projection
"""


@dataclass(slots=True, kw_only=True)
class Rebuild:
    """One rebuild as the record has it; events are positions of the log, times are UTC."""

    rebuild_id: int
    projection: str
    generation: int
    phase: str
    events_done: int
    events_total: int
    indexes_done: int
    folding_seconds: float
    actor: str
    reason: str
    worker: str
    error: str
    cancel_requested: bool
    started_at: datetime
    updated_at: datetime
    finished_at: datetime | None

    @property
    def percent(self) -> int:
        """Say how much of the log is folded."""
        return min(100 * self.events_done // max(self.events_total, 1), 100)


def worker_name() -> str:
    """Name this process as others can find it."""
    return f"{platform.node()}, process {os.getpid()}"


def start(
    connection: psycopg.Connection[Any], projection: str, generation: int, total: int, actor: str, reason: str
) -> Rebuild:
    """Record a rebuild of a new generation; the database refuses a second unfinished one of the projection."""
    parameters = [projection, generation, total, actor, reason, worker_name()]
    (made,) = _rows(connection, START, parameters)
    return made


def unfinished(connection: psycopg.Connection[Any], projection: str) -> Rebuild | None:
    """Find the rebuild of a projection that was neither swapped nor cancelled."""
    return next(iter(_rows(connection, UNFINISHED, [projection])), None)


def newest(connection: psycopg.Connection[Any]) -> list[Rebuild]:
    """List the newest rebuild of each projection."""
    return _rows(connection, NEWEST, [])


def take(connection: psycopg.Connection[Any], rebuild: Rebuild) -> None:
    """Write down that this process goes on with it."""
    connection.execute(TAKE, [worker_name(), rebuild.rebuild_id])


def note(connection: psycopg.Connection[Any], rebuild: Rebuild, folding_seconds: float = 0.0) -> bool:
    """Write down how far it has come; say whether somebody asked for its end."""
    said = {
        "phase": rebuild.phase,
        "events_done": rebuild.events_done,
        "events_total": rebuild.events_total,
        "indexes_done": rebuild.indexes_done,
        "folding_seconds": folding_seconds,
        "error": rebuild.error,
        "rebuild_id": rebuild.rebuild_id,
    }
    row = connection.execute(NOTE, said).fetchone()
    return bool(row and row[0])


def ask_to_cancel(connection: psycopg.Connection[Any], projection: str) -> bool:
    """Ask for the end of a projection's rebuild; say whether there is one."""
    return connection.execute(CANCEL, [projection]).rowcount > 0


def rates(connection: psycopg.Connection[Any]) -> dict[str, float]:
    """Say how many events a second were folded in earlier rebuilds of each projection."""
    return {projection: float(rate) for projection, rate in connection.execute(RATES)}


def _rows(connection: psycopg.Connection[Any], statement: str, parameters: list[Any]) -> list[Rebuild]:
    with connection.cursor(row_factory=class_row(Rebuild)) as cursor:
        return cursor.execute(statement, parameters).fetchall()
