"""What RQ runs on the queue `work`, where no process of `manage.py run_publishers` stands: a job without data.

`OUTBOX["CHORES"] = {"outbox.publishers.jobs.ask_for_publishing": 1}` lets the delivery workers ask for it. Should Redis
or the job be lost, they ask again a second later.
"""

from collections.abc import Callable
from typing import Any

import psycopg

from .. import work
from ..stopping import STOPPING
from . import lanes
from .loop import PublisherLoop

LONGEST_JOB_SECONDS = 60.0
JOB = "outbox.publishers.jobs.publish_events"


def publish_events() -> int:
    """Serve all lanes until none has work that can be done now, for a while; return how many events were taken."""
    loop = PublisherLoop(STOPPING.event)
    try:
        return loop.run_once(LONGEST_JOB_SECONDS)
    finally:
        loop.close()
        work.has_ended(JOB)


def ask_for_publishing(connection: psycopg.Connection[Any], is_stopping: Callable[[], bool]) -> int:
    """Put the job into its queue when a lane has work, unless it was asked for lately and has not ended."""
    return int(any(each.has_work for each in lanes.standings(connection)) and work.ask_for(JOB))
