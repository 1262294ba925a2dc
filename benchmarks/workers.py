"""Workers of a measurement, in processes of their own."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import redis
from django.conf import settings

from outbox.connection import connect

BEHIND = """
SELECT EXISTS (SELECT FROM outbox) OR (SELECT max(position) FROM event_log) > min(at) FROM
    (SELECT coalesce(max(to_position), 0) AS at FROM projection_generations
       LEFT JOIN checkpoints ON subscriber = projection AND checkpoints.generation = projection_generations.generation
      WHERE state = 'live'
      GROUP BY projection, projection_generations.generation) AS newest
"""
LOOK_SECONDS = 0.02
START_SECONDS = 30

DELIVERY = ("rqworker", "delivery", "--worker-class=outbox.worker.DeliveryWorker", "--verbosity=0")
MANAGE = Path(__file__).parent.parent / "manage.py"


@contextmanager
def delivery_worker() -> Iterator[None]:
    """Run the RQ worker that hears the bell."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
    with _running(*DELIVERY):
        yield


@contextmanager
def two_delivery_workers() -> Iterator[None]:
    """Run two RQ workers, of which `kill_a_worker` may kill one."""
    with delivery_worker(), _running(*DELIVERY):
        yield


def kill_a_worker() -> None:
    """Kill the busiest of the workers, with -9."""
    victims = [one for one in psutil.Process().children() if "rqworker" in one.cmdline()]
    max(victims, key=lambda one: sum(one.cpu_times()[:2])).kill()


@contextmanager
def polling_worker() -> Iterator[None]:
    """Run `run_delivery`, which needs no Redis and looks at intervals."""
    with _running("run_delivery"):
        yield


def manage(*arguments: str | Path) -> subprocess.Popen[bytes]:
    """Start a management command with the benchmarks' settings, which it inherits."""
    return subprocess.Popen([sys.executable, MANAGE, *arguments], stdout=subprocess.DEVNULL)


@contextmanager
def _running(*arguments: str) -> Iterator[None]:
    process = manage(*arguments)
    try:
        wait_until_delivered(START_SECONDS)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


def wait_until_delivered(longest_seconds: float) -> None:
    """Wait until every read model stands at the newest event."""
    deadline = time.monotonic() + longest_seconds
    with closing(connect("benchmark")) as watcher:
        while watcher.execute(BEHIND).fetchone() != (False,):
            if time.monotonic() > deadline:
                raise TimeoutError("the worker does not deliver")
            time.sleep(LOOK_SECONDS)
