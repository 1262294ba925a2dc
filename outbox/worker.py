"""RQ workers of the queues `delivery` and `work`: they read JSON only, run known jobs only, and outlive Redis.

`manage.py rqworker delivery --worker-class outbox.worker.DeliveryWorker`
`manage.py rqworker work` (its class, WorkWorker, is the one that settings.RQ names for all)

Jobs run in the worker's own process and not in a fork of it: what is killed takes its job with it, so that no orphan
goes on unseen. A worker that was only stopped for a while is refused by the checkpoints.
"""

import logging
import uuid
from contextlib import suppress
from types import FrameType
from typing import Any

import redis
from rq import SimpleWorker
from rq.exceptions import StopRequested
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus

from .bell import STANDING_KEY, client
from .jobs import ENGINE
from .known_jobs import KnownJob
from .options import options
from .stopping import STOPPING
from .worker_threads import at_work, of_delivery

logger = logging.getLogger(__name__)

# RQ waits for a job for half of this; a Redis that accepts and is silent is given up after about as long.
WORKER_TTL_SECONDS = 30
RETRY_SECONDS = 1.0
FAREWELL_SECONDS = 1


class WorkWorker(SimpleWorker):
    """Runs known jobs in its own process until a signal comes, whatever becomes of Redis meanwhile."""

    max_connection_wait_time = RETRY_SECONDS

    def __init__(self, queues: Any, *args: Any, **kwargs: Any) -> None:
        kwargs |= {"serializer": JSONSerializer, "job_class": KnownJob, "worker_ttl": WORKER_TTL_SECONDS}
        super().__init__(queues, *args, **kwargs)
        self._hears_redis = False
        for queue in self.queues:
            queue.serializer, queue.job_class = self.serializer, self.job_class

    def work(self, *args: Any, **kwargs: Any) -> bool:
        """Work until a signal comes; return whether any job was run at last."""
        with STOPPING:
            self._install_signal_handlers()  # RQ speaks with Redis first
            return self._work_on(*args, **kwargs)

    def _work_on(self, *args: Any, **kwargs: Any) -> bool:
        while not self._stop_requested:
            try:
                self._hears_redis = True
                worked = super().work(*args, **kwargs)
            except (redis.RedisError, OSError) as error:
                logger.warning("Redis is away (%s); delivery goes on without the bell", error)
            except StopRequested:
                break
            else:
                if self._has_ended(kwargs):
                    return worked
            finally:
                self._hears_redis = False
            self._begin_anew()
        return False

    def _has_ended(self, kwargs: dict[str, Any]) -> bool:
        limits = ("burst", "max_jobs", "max_idle_time")
        return self._stop_requested or any(kwargs.get(limit) for limit in limits)

    def _begin_anew(self) -> None:
        """Wait, then forget the name, which RQ believes to be at work still."""
        STOPPING.event.wait(RETRY_SECONDS)
        self.name = uuid.uuid4().hex

    def _install_signal_handlers(self) -> None:
        STOPPING.listen(self.request_stop)

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Tell job and threads to come to an end, and break off waiting for Redis."""
        is_first = not self._stop_requested
        self._stop_requested = True
        STOPPING.ask(signum, frame)
        if is_first and self._hears_redis and self.get_state() != WorkerStatus.BUSY:
            raise StopRequested

    def subscribe(self) -> None:
        """Listen to no commands of RQ's: its thread for them would end with a trace when Redis does."""

    def _set_ip_address(self, connection: redis.Redis) -> None:
        """Do not ask Redis, which may be away when the worker starts."""
        self.ip_address = "unknown"

    def teardown(self) -> None:
        """Say farewell to Redis, but do not wait for it."""
        self._hears_redis = False
        pool = self.connection.connection_pool
        pool.connection_kwargs["socket_timeout"], timeout = FAREWELL_SECONDS, self.connection_timeout
        pool.disconnect()
        with suppress(redis.RedisError):
            super().teardown()  # type: ignore[no-untyped-call]
        pool.connection_kwargs["socket_timeout"] = timeout
        pool.disconnect()


class DeliveryWorker(WorkWorker):
    """Runs drain jobs, and threads that deliver without Redis."""

    def _work_on(self, *args: Any, **kwargs: Any) -> bool:
        self._forget_standing_job()
        try:
            with at_work(of_delivery("rqworker", options().sweep_seconds, ENGINE), STOPPING.event):
                return super()._work_on(*args, **kwargs)
        finally:
            ENGINE.close()

    def _forget_standing_job(self) -> None:
        """Let the next bell queue a job: the one that is said to stand may be that of a worker that was killed."""
        if options().redis_url:
            with suppress(redis.RedisError):
                client(options().redis_url, options().bell_timeout_seconds).delete(STANDING_KEY)
