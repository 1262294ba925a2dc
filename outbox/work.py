"""Jobs without data on the queue `work`, each asked for once until it has ended; nobody asks while Redis is away."""

from contextlib import suppress
from typing import Any

import redis
from rq import Queue
from rq.serializers import JSONSerializer

from .bell import client
from .options import options

QUEUE = "work"
ASKED_SECONDS = 30
REDIS_TIMEOUT_SECONDS = 2.0


def ask_for(job: str) -> bool:
    """Put a job, named by its dotted path, into the queue, unless it stands there; False when there is no Redis now.

    Should the job be lost, it can be asked for again after ASKED_SECONDS.
    """
    if not options().redis_url:
        return False
    try:
        if _redis().set(_key(job), "1", nx=True, ex=ASKED_SECONDS):
            queue = Queue(QUEUE, connection=_redis(), serializer=JSONSerializer)
            queue.enqueue(job, result_ttl=0, failure_ttl=60)
    except redis.RedisError:
        return False
    return True


def has_ended(job: str) -> None:
    """Let a job be asked for again; to be said by the job itself."""
    with suppress(redis.RedisError):  # the key expires
        _redis().delete(_key(job))


def _key(job: str) -> str:
    return f"outbox:asked:{job}"


def _redis() -> Any:
    return client(options().redis_url, REDIS_TIMEOUT_SECONDS)
