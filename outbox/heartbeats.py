"""Heart-beats: each worker process keeps a row that says when it was last seen at work.

They tell people and alarms whether anybody delivers; what is delivered never rests on them.
"""

import os
import socket
import time
import uuid
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import connection as default_connection

PUBLISHERS = "publishers"  # the kind of processes that only bring events to subscribers outside the database

BEAT_SECONDS = 2.0
ALIVE_SECONDS = 10.0  # who has been silent for longer counts as not running
KEEP_SECONDS = 86_400.0
SWEEP_SECONDS = 600.0

# A lost beat is made up for by the next: its commit need not wait for the disk.
BEAT = """
INSERT INTO delivery_workers (worker_id, kind, host, pid)
SELECT $1::uuid, $2::text, $3::text, $4::int FROM set_config('synchronous_commit', 'off', true)
ON CONFLICT (worker_id) DO UPDATE SET beat_at = clock_timestamp()
"""
STOP = "DELETE FROM delivery_workers WHERE worker_id = $1::uuid"
SWEEP = "DELETE FROM delivery_workers WHERE beat_at < clock_timestamp() - make_interval(secs => $1::float8)"
WORKERS = """
SELECT kind, host, pid, extract(epoch FROM beat_at - started_at)::float8,
       extract(epoch FROM clock_timestamp() - beat_at)::float8
  FROM delivery_workers ORDER BY beat_at DESC, worker_id
"""


class Heartbeat:
    """The heart-beat of one worker process; to be made in that process, not before a fork."""

    def __init__(self, kind: str) -> None:
        self.worker_id = uuid.uuid4()
        self.kind = kind
        self._beat_at: float | None = None
        self._swept_at: float | None = None

    def beat(self, connection: psycopg.Connection[Any]) -> None:
        """Say that this process is at work, at most every BEAT_SECONDS; on a connection in autocommit.

        May be called as often as one likes. Raises what the connection raises, and the next call tries again.
        """
        if not _is_due(self._beat_at, BEAT_SECONDS):
            return
        parameters = [self.worker_id, self.kind, socket.gethostname(), os.getpid()]
        psycopg.RawCursor(connection).execute(BEAT, parameters, prepare=True)
        self._beat_at = time.monotonic()
        if _is_due(self._swept_at, SWEEP_SECONDS):
            psycopg.RawCursor(connection).execute(SWEEP, [KEEP_SECONDS])
            self._swept_at = time.monotonic()

    def stop(self, connection: psycopg.Connection[Any]) -> None:
        """Say that this process ends on purpose; a worker that only falls silent is missed instead."""
        psycopg.RawCursor(connection).execute(STOP, [self.worker_id])


def _is_due(last: float | None, interval_seconds: float) -> bool:
    return last is None or time.monotonic() - last >= interval_seconds


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process as its last heart-beat left it."""

    kind: str
    host: str
    pid: int
    worked_seconds: float
    silent_seconds: float

    @property
    def delivers(self) -> bool:
        """Tell whether it relays and folds."""
        return self.kind != PUBLISHERS

    @property
    def is_alive(self) -> bool:
        """Tell whether the last heart-beat is young enough."""
        return self.silent_seconds < ALIVE_SECONDS


def workers() -> list[Worker]:
    """List the worker processes of the last day that did not end on purpose, the last seen first."""
    with default_connection.cursor() as cursor:
        cursor.execute(WORKERS)
        return [Worker(*row) for row in cursor.fetchall()]
