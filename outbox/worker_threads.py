"""The threads of a worker: what it does at the same time, each on a connection of its own."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from . import chores
from .alarms import check_alarms
from .careful import CarefulEngine
from .engine import Engine
from .heartbeats import Heartbeat
from .polling import poll
from .routine import Routine

logger = logging.getLogger(__name__)

CAREFUL_SECONDS = 0.2
BEAT_SECONDS = 0.5
ALARM_SECONDS = 1.0
PAUSE_SECONDS = 1.0

Run = Callable[[threading.Event], None]
"""Runs until the event is set, and closes its connections then."""


def of_delivery(kind: str, interval_seconds: float, beside: Engine | None = None) -> Mapping[str, Run]:
    """Name the threads of a worker that delivers to projections; `kind` names the worker in heart-beats.

    Delivery looks for itself at intervals, unless the engine `beside` it has just done so.
    """
    heart = Heartbeat(kind)
    beats = Routine("heart-beat", heart.beat, heart.stop)
    return {
        "sweep": partial(poll, Engine("delivery sweep", rests=True), interval_seconds, beside=beside),
        "careful": partial(poll, CarefulEngine("careful delivery"), CAREFUL_SECONDS),
        "heart-beat": partial(poll, beats, BEAT_SECONDS),
        "alarms": partial(poll, Routine("alarms", check_alarms), ALARM_SECONDS),
        "chores": chores.run_at_intervals,
    }


@contextmanager
def at_work(runs: Mapping[str, Run], stopping: threading.Event) -> Iterator[None]:
    """Run the threads meanwhile; at the end tell them to stop, and wait for what they have in hand."""
    threads = [
        threading.Thread(target=_keep_running, args=(run, stopping), name=name) for name, run in runs.items()
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def _keep_running(run: Run, stopping: threading.Event) -> None:
    while not stopping.is_set():
        try:
            run(stopping)
        except Exception:  # a thread that ends would be missed by nobody
            logger.exception("the thread %r failed; it begins anew", threading.current_thread().name)
            stopping.wait(PAUSE_SECONDS)
