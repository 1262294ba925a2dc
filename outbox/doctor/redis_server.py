"""Whether the bell has a Redis that answers and does not throw jobs away."""

from collections.abc import Iterator

import redis

from ..bell import client
from ..options import options
from .findings import Finding, Severity

TIMEOUT_SECONDS = 1.0
KEEPS_ALL = "noeviction"


def find_redis() -> Iterator[Finding]:
    """Ask Redis for its policy; without it delivery goes on, by looking at intervals."""
    if not (url := options().redis_url):
        return
    try:
        known = client(url, TIMEOUT_SECONDS).info("memory")
    except (redis.RedisError, OSError) as error:
        yield Finding(
            "doctor.D301",
            Severity.WARNING,
            f"Redis does not answer: {error}. No bell is heard; workers look for themselves every "
            f"{options().sweep_seconds:g} s.",
            "Start Redis, or name the right one in REDIS_URL.",
        )
        return
    policy = known.get("maxmemory_policy", KEEPS_ALL)
    if policy != KEEPS_ALL:
        yield Finding(
            "doctor.D302",
            Severity.WARNING,
            f"Redis may evict keys when its memory is full (maxmemory-policy {policy}): jobs would vanish silently.",
            f"CONFIG SET maxmemory-policy {KEEPS_ALL}, and in its configuration file.",
        )
