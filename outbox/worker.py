"""The RQ worker of the queue `delivery`: hears the bell, and looks for itself when none is heard.

`manage.py rqworker delivery --worker-class outbox.worker.DeliveryWorker`
"""

import logging
import threading
import uuid
from contextlib import suppress
from typing import Any

import redis
from rq import SimpleWorker
from rq.exceptions import StopRequested
from rq.serializers import JSONSerializer

from .chores import run_at_intervals
from .engine import Engine
from .jobs import ENGINE, STOPPING
from .options import options
from .polling import poll

logger = logging.getLogger(__name__)

# RQ waits for a job for half of this; a Redis that accepts and is silent is given up after about as long.
WORKER_TTL_SECONDS = 30
RETRY_SECONDS = 1.0
FAREWELL_SECONDS = 1


class DeliveryWorker(SimpleWorker):
    """Runs drain jobs in its own process, and beside it what needs no bell: a sweep, and chores."""

    def __init__(self, queues: Any, *args: Any, **kwargs: Any) -> None:
        kwargs |= {"serializer": JSONSerializer, "worker_ttl": WORKER_TTL_SECONDS}
        super().__init__(queues, *args, **kwargs)
        for queue in self.queues:
            queue.serializer = self.serializer

    def work(self, *args: Any, **kwargs: Any) -> bool:
        """Work until a signal comes, whatever becomes of Redis meanwhile."""
        STOPPING.clear()
        self._install_signal_handlers()  # type: ignore[no-untyped-call] # RQ speaks with Redis first
        sweep_with = (Engine("delivery sweep"), options().sweep_seconds, STOPPING, ENGINE)
        threads = [
            threading.Thread(target=poll, args=sweep_with, name="sweep"),
            threading.Thread(target=run_at_intervals, args=(STOPPING,), name="chores"),
        ]
        for thread in threads:
            thread.start()
        try:
            return self._work_on(*args, **kwargs)
        finally:
            STOPPING.set()
            for thread in threads:
                thread.join()
            ENGINE.close()

    def _work_on(self, *args: Any, **kwargs: Any) -> bool:
        while not STOPPING.is_set():
            try:
                worked = super().work(*args, **kwargs)
            except (redis.RedisError, OSError) as error:
                logger.warning("Redis is away (%s); delivery goes on without the bell", error)
            except StopRequested:
                break
            else:
                if self._has_ended(kwargs):
                    return worked
            self._begin_anew()
        return False

    def _has_ended(self, kwargs: dict[str, Any]) -> bool:
        limits = ("burst", "max_jobs", "max_idle_time")
        return STOPPING.is_set() or self._stop_requested or any(kwargs.get(limit) for limit in limits)

    def _begin_anew(self) -> None:
        """Wait, then forget the name, which RQ believes to be at work still."""
        with suppress(StopRequested):
            STOPPING.wait(RETRY_SECONDS)
        self.name = uuid.uuid4().hex

    def handle_warm_shutdown_request(self) -> None:
        """Tell job and sweep to come to an end."""
        STOPPING.set()

    def set_shutdown_requested_date(self) -> None:
        """Leave it out: RQ would call Redis from within a signal handler."""

    def subscribe(self) -> None:
        """Listen to no commands of RQ's: its thread for them would end with a trace when Redis does."""

    def _set_ip_address(self, connection: redis.Redis) -> None:
        """Do not ask Redis, which may be away when the worker starts."""
        self.ip_address = "unknown"

    def teardown(self) -> None:
        """Say farewell to Redis, but do not wait for it."""
        pool = self.connection.connection_pool
        pool.connection_kwargs["socket_timeout"], timeout = FAREWELL_SECONDS, self.connection_timeout
        pool.disconnect()
        with suppress(redis.RedisError):
            super().teardown()  # type: ignore[no-untyped-call]
        pool.connection_kwargs["socket_timeout"] = timeout
        pool.disconnect()
