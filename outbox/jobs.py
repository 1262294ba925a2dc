"""What RQ runs: a job that delivers what waits, lingers for the next bell, and ends. It carries no data."""

import time

import redis

from .bell import BELL_KEY, STANDING_KEY, STANDING_SECONDS, client
from .engine import Engine
from .options import options
from .polling import drain_safely
from .stopping import STOPPING

LONGEST_JOB_SECONDS = 60.0  # well below the time after which RQ breaks a job off, wherever it is
LISTEN_SECONDS = 0.5

ENGINE = Engine("delivery")


def drain_outbox() -> int:
    """Deliver until no bell has rung for a while; return how many events were folded.

    Redis may fail at any point: then the job ends, and the worker's sweep goes on.
    """
    ends_at = time.monotonic() + LONGEST_JOB_SECONDS

    def is_over() -> bool:
        return STOPPING.event.is_set() or time.monotonic() >= ends_at

    folded = drain_safely(ENGINE, is_over)
    try:
        while not is_over() and _hears_bell():
            folded += drain_safely(ENGINE, is_over)
        _redis().delete(STANDING_KEY)
    except redis.RedisError:
        return folded
    # A bell rung before the key was deleted started no other job: what it spoke of is delivered here, or by the sweep.
    return folded + drain_safely(ENGINE, is_over)


def _hears_bell() -> bool:
    """Wait for a bell, for as long as a job lingers."""
    quiet_from = time.monotonic()
    while not STOPPING.event.is_set() and time.monotonic() - quiet_from < options().linger_seconds:
        _redis().set(STANDING_KEY, "1", ex=STANDING_SECONDS)
        if _redis().blpop([BELL_KEY], timeout=LISTEN_SECONDS):
            return True
    return False


def _redis() -> redis.Redis:
    return client(options().redis_url, 4 * LISTEN_SECONDS)
