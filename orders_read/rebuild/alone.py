"""One process at a time builds a generation of a projection, to show it or to compare it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from outbox.connection import one_value

from . import record
from .exceptions import RebuildAtWork
from .record import Rebuild, worker_name

REBUILD_LOCK = 0x72656264  # "rebd"; the second key is a hash of the projection
TRY_LOCK = "SELECT pg_try_advisory_lock($1::int, hashtext($2::text))"
UNLOCK = "SELECT pg_advisory_unlock($1::int, hashtext($2::text))"
HOLDER = """
SELECT coalesce(nullif(application_name, ''), 'a session') || ', backend ' || activity.pid, activity.backend_start
  FROM pg_locks JOIN pg_stat_activity AS activity USING (pid)
 WHERE locktype = 'advisory' AND granted AND objsubid = 2
   AND classid = $1::int::oid AND objid = (hashtext($2::text)::bigint & 4294967295)::oid
"""


@contextmanager
def alone(connection: psycopg.Connection[Any], projection: str) -> Iterator[None]:
    """Be the only one; raises RebuildAtWork, which tells who is at it. The lock goes with the connection."""
    cursor = psycopg.RawCursor(connection)
    if not one_value(cursor.execute(TRY_LOCK, [REBUILD_LOCK, projection])):
        raise _at_work(connection, projection)
    try:
        yield
    finally:
        if not connection.closed:
            cursor.execute(UNLOCK, [REBUILD_LOCK, projection])


def _at_work(connection: psycopg.Connection[Any], projection: str) -> RebuildAtWork:
    rebuild: Rebuild | None = record.unfinished(connection, projection)
    holder = psycopg.RawCursor(connection).execute(HOLDER, [REBUILD_LOCK, projection]).fetchone()
    worker, since = holder or (worker_name(), None)
    if rebuild:
        worker, since = f"{rebuild.worker} ({rebuild.phase}, {rebuild.percent} %)", rebuild.started_at
    return RebuildAtWork(projection=projection, worker=worker, since=since)
