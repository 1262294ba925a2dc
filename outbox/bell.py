"""Wake a worker after a commit: one best-effort Redis call, made by a thread, so that no command waits for it.

A lost bell loses nothing: workers look for themselves every `sweep_seconds`.
"""

import atexit
import logging
import os
import threading
import time
from functools import lru_cache

import redis
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer

from .options import options
from .statements import script

logger = logging.getLogger(__name__)

BELL_KEY = "outbox:bell"
STANDING_KEY = "outbox:job"
STANDING_SECONDS = 5
SCRIPT = script("bell")
JOB = "outbox.jobs.drain_outbox"

# Bells that come within a pause are rung as one. A call takes a third of a millisecond of processor time, so that
# commands that come thick pay for few of them; delivery takes larger bites at that rate too.
PAUSE_SECONDS = 0.001
BUSY_RINGS_A_SECOND = 500
BUSY_PAUSE_SECONDS = 0.01
FIRST_SILENCE_SECONDS = 1.0
LONGEST_SILENCE_SECONDS = 30.0


class Bell:
    """The bell of one process; its thread starts with the first ring."""

    def __init__(self) -> None:
        self.errors = 0
        self._silent_until = 0.0
        self._silence_seconds = FIRST_SILENCE_SECONDS
        self._rings = 0
        self._since = 0.0
        self._rung = threading.Event()
        self._is_quiet = threading.Event()
        self._pid = 0
        self._starting = threading.Lock()

    def ring(self) -> None:
        """Say that messages wait; takes microseconds and never raises."""
        if self._pid != os.getpid():
            self._start()
        self._rings += 1
        self._is_quiet.clear()
        self._rung.set()

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until what was rung has been sent or given up; for tests and the end of a process."""
        return self._is_quiet.wait(timeout_seconds)

    def renew(self) -> None:
        """Begin anew in a forked child, which has no thread, and locks that another thread may have held."""
        self._pid, self._rings = 0, 0
        self._starting = threading.Lock()
        self._rung, self._is_quiet = threading.Event(), threading.Event()

    def _start(self) -> None:
        """Start the thread in this process."""
        with self._starting:
            if self._pid != os.getpid():
                threading.Thread(target=self._run, name="bell", daemon=True).start()
                atexit.register(self.flush, 2 * options().bell_timeout_seconds)
                self._pid = os.getpid()

    def _run(self) -> None:
        while self._rung.wait():
            self._rung.clear()
            is_busy = self._is_busy()
            if time.monotonic() >= self._silent_until:
                self._call()
            if not self._rung.is_set():
                self._is_quiet.set()
            time.sleep(BUSY_PAUSE_SECONDS if is_busy else PAUSE_SECONDS)

    def _is_busy(self) -> bool:
        """Ask how fast the rings came since the last time; the first of a while is never too fast."""
        (rings, since), self._rings, self._since = (self._rings, self._since), 0, time.monotonic()
        return rings > BUSY_RINGS_A_SECOND * (self._since - since)

    def _call(self) -> None:
        try:
            _call_worker()
        except Exception as error:  # noqa: BLE001 – whatever it is, the thread must ring the next time
            self.errors += 1
            self._silent_until = time.monotonic() + self._silence_seconds
            logger.warning("bell is silent for %g s: %s", self._silence_seconds, error)
            self._silence_seconds = min(2 * self._silence_seconds, LONGEST_SILENCE_SECONDS)
        else:
            self._silence_seconds = FIRST_SILENCE_SECONDS


BELL = Bell()


def _renew() -> None:
    BELL.renew()


os.register_at_fork(after_in_child=_renew)


def ring() -> None:
    """Say that messages wait; takes microseconds and never raises."""
    if options().redis_url:
        BELL.ring()


@lru_cache(maxsize=4)
def client(url: str, timeout_seconds: float) -> redis.Redis:
    """Give a client whose connect and read take no longer than the time-out; a dropped connection is renewed."""
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=timeout_seconds / 2,
        socket_timeout=timeout_seconds / 2,
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )


def _call_worker() -> None:
    chosen = options()
    push, queue = _rope(chosen.redis_url, chosen.bell_timeout_seconds, chosen.queue)
    if push(keys=[BELL_KEY, STANDING_KEY, queue.key], args=[STANDING_SECONDS]):
        queue.enqueue(JOB, result_ttl=0, failure_ttl=60)


@lru_cache(maxsize=4)
def _rope(url: str, timeout_seconds: float, queue: str) -> tuple[Script, Queue]:
    connection = client(url, timeout_seconds)
    return connection.register_script(SCRIPT), Queue(queue, connection=connection, serializer=JSONSerializer)
