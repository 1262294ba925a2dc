"""Refresh materialized views: beside their readers, one process at a time, and for a fifth of the time at most.

`settings.READ_VIEWS` says how old each may become before it is refreshed. After a refresh that took t seconds the next
is not due for 4 t, whoever asks; so that many who ask make one refresh, and a slow one cannot fill the day. A refresh
holds a snapshot and a lock that only another refresh waits for: no event and no reader waits for it.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.conf import settings

from outbox.connection import one_value

REFRESH_LOCK = 0x72656672  # "refr"; the second key is a hash of the view's name
TRY_LOCK = "SELECT pg_try_advisory_lock($1::int, hashtext($2::text))"
UNLOCK = "SELECT pg_advisory_unlock($1::int, hashtext($2::text))"

# A duty of one fifth.
PAUSE_PER_SECOND = 4

# What was never refreshed was filled by a migration, in an empty shop.
STANDING = """
SELECT wanted.name,
       coalesce(extract(epoch FROM clock_timestamp() - finished_at), 'Infinity')::float8 AS age_seconds,
       coalesce(seconds, 0)
  FROM unnest($1::text[]) AS wanted (name) LEFT JOIN view_refreshes USING (name)
"""
REFRESH = 'REFRESH MATERIALIZED VIEW CONCURRENTLY "read_{name}"'
NOTE = """
INSERT INTO view_refreshes (name, finished_at, seconds, error) VALUES ($1, clock_timestamp(), $2, $3)
ON CONFLICT (name) DO UPDATE SET finished_at = excluded.finished_at, seconds = excluded.seconds, error = excluded.error
"""

logger = logging.getLogger(__name__)


class RefreshAtWork(Exception):
    """Another process refreshes this view."""


class UnknownView(LookupError):
    """There is no materialized view of this name."""


def names() -> list[str]:
    """List the materialized views."""
    return [*settings.READ_VIEWS]


def overdue(connection: psycopg.Connection[Any], ages: float = 1.0) -> list[str]:
    """List the views that are older than so many of their ages, and whose pause is over."""
    found = psycopg.RawCursor(connection).execute(STANDING, [names()]).fetchall()
    return [
        name
        for name, age_seconds, seconds in found
        if age_seconds >= max(ages * settings.READ_VIEWS[name], PAUSE_PER_SECOND * seconds)
    ]


def refresh(connection: psycopg.Connection[Any], name: str, *, if_due: bool = False) -> float | None:
    """Refresh one view on a connection in autocommit; return the seconds it took, None when it was not due.

    Raises RefreshAtWork, and UnknownView.
    """
    if name not in names():
        raise UnknownView(name)
    with _alone(connection, name):
        if if_due and name not in overdue(connection):
            return None
        return _refresh(connection, name)


def refresh_due(connection: psycopg.Connection[Any], is_stopping: Callable[[], bool] = lambda: False) -> int:
    """Refresh what is due and nobody refreshes; return how many."""
    done = 0
    for name in names():
        if not is_stopping():
            try:
                done += refresh(connection, name, if_due=True) is not None
            except RefreshAtWork:
                continue
    return done


def _refresh(connection: psycopg.Connection[Any], name: str) -> float:
    began, error = time.monotonic(), ""
    try:
        connection.execute(REFRESH.format(name=name))
    except psycopg.Error as failure:
        error = str(failure).partition("\n")[0]
        raise
    finally:  # one that failed has cost as much
        seconds = time.monotonic() - began
        if not connection.closed:
            psycopg.RawCursor(connection).execute(NOTE, [name, seconds, error])
    return seconds


@contextmanager
def _alone(connection: psycopg.Connection[Any], name: str) -> Iterator[None]:
    """Be the only one; the lock goes with the connection."""
    cursor = psycopg.RawCursor(connection)
    if not one_value(cursor.execute(TRY_LOCK, [REFRESH_LOCK, name])):
        raise RefreshAtWork(name)
    try:
        yield
    finally:
        if not connection.closed:
            cursor.execute(UNLOCK, [REFRESH_LOCK, name])
