"""What RQ runs on the queue `work`, where no process of `manage.py run_publishers` stands: a job without data.

`OUTBOX["CHORES"] = {"outbox.publishers.jobs.ask_for_publishing": 1}` lets the delivery workers ask for it. Should Redis
or the job be lost, they ask again a second later.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
import redis
from rq import Queue
from rq.serializers import JSONSerializer

from ..bell import client
from ..options import options
from ..stopping import STOPPING
from . import lanes
from .loop import PublisherLoop

LONGEST_JOB_SECONDS = 60.0
QUEUE = "work"
JOB = "outbox.publishers.jobs.publish_events"
ASKED_KEY = "outbox:publishing"
ASKED_SECONDS = 30
REDIS_TIMEOUT_SECONDS = 2.0


def publish_events() -> int:
    """Serve all lanes until none has work that can be done now, for a while; return how many events were taken."""
    loop = PublisherLoop(STOPPING.event)
    try:
        return loop.run_once(LONGEST_JOB_SECONDS)
    finally:
        loop.close()
        with suppress(redis.RedisError):  # asked again when the key has expired
            _redis().delete(ASKED_KEY)


def ask_for_publishing(connection: psycopg.Connection[Any], is_stopping: Callable[[], bool]) -> int:
    """Put the job into its queue when a lane has work, unless it was asked for lately and has not ended."""
    if not options().redis_url or not any(each.has_work for each in lanes.standings(connection)):
        return 0
    if not _redis().set(ASKED_KEY, "1", nx=True, ex=ASKED_SECONDS):
        return 0
    queue = Queue(QUEUE, connection=_redis(), serializer=JSONSerializer)
    queue.enqueue(JOB, result_ttl=0, failure_ttl=60)
    return 1


def _redis() -> Any:
    return client(options().redis_url, REDIS_TIMEOUT_SECONDS)
