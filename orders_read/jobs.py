"""What RQ runs of the read side, on the queue `work`: jobs without data.

A chore of the delivery workers asks for them. Should Redis, or whoever serves the queue, be away, the chore does the
work itself after a while.
"""

from collections.abc import Callable
from typing import Any

import psycopg

from outbox import work
from outbox.connection import connect
from outbox.stopping import STOPPING

from .refreshing import overdue, refresh_due

REFRESH_JOB = "orders_read.jobs.refresh_views"

# A view that has become so many times as old as it may was asked for in vain.
AGES_IN_VAIN = 2.0


def refresh_views() -> int:
    """Refresh the materialized views that are due; return how many."""
    try:
        with connect("refresh views") as connection:
            return refresh_due(connection, STOPPING.event.is_set)
    finally:
        work.has_ended(REFRESH_JOB)


def ask_for_refresh(connection: psycopg.Connection[Any], is_stopping: Callable[[], bool]) -> int:
    """Have the views that are due refreshed: by a job, or where none comes, here; return how many were, here."""
    if not overdue(connection):
        return 0
    if overdue(connection, AGES_IN_VAIN) or not work.ask_for(REFRESH_JOB):
        return refresh_due(connection, is_stopping)
    return 0
