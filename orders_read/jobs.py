"""What RQ runs of the read side, on the queue `work`: jobs without data.

A chore of the delivery workers asks for them. Should Redis, or whoever serves the queue, be away, the chore does the
work itself after a while.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
import redis
from rq import Queue
from rq.serializers import JSONSerializer

from outbox.bell import client
from outbox.connection import connect
from outbox.options import options
from outbox.stopping import STOPPING

from .refreshing import overdue, refresh_due

QUEUE = "work"
REFRESH_JOB = "orders_read.jobs.refresh_views"
ASKED_KEY = "orders_read:refresh"
ASKED_SECONDS = 30
REDIS_TIMEOUT_SECONDS = 2.0

# A view that has become so many times as old as it may was asked for in vain.
AGES_IN_VAIN = 2.0


def refresh_views() -> int:
    """Refresh the materialized views that are due; return how many."""
    try:
        with connect("refresh views") as connection:
            return refresh_due(connection, STOPPING.event.is_set)
    finally:
        with suppress(redis.RedisError):  # asked again when the key has expired
            _redis().delete(ASKED_KEY)


def ask_for_refresh(connection: psycopg.Connection[Any], is_stopping: Callable[[], bool]) -> int:
    """Have the views that are due refreshed: by a job, or where none comes, here; return how many were, here."""
    if not overdue(connection):
        return 0
    if not options().redis_url or overdue(connection, AGES_IN_VAIN):
        return refresh_due(connection, is_stopping)
    try:
        if _redis().set(ASKED_KEY, "1", nx=True, ex=ASKED_SECONDS):
            queue = Queue(QUEUE, connection=_redis(), serializer=JSONSerializer)
            queue.enqueue(REFRESH_JOB, result_ttl=0, failure_ttl=60)
    except redis.RedisError:
        return refresh_due(connection, is_stopping)
    return 0


def _redis() -> Any:
    return client(options().redis_url, REDIS_TIMEOUT_SECONDS)
