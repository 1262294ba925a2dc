"""Look for work at intervals, whether a bell was heard or not, and survive whatever comes of it."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import psycopg

from .engine import Engine

logger = logging.getLogger(__name__)

AWAY_SECONDS = 1.0  # before who failed tries again


class Work(Protocol):
    """Something that a worker does again and again, on a connection of its own."""

    def drain(self, is_stopping: Callable[[], bool]) -> int:
        """Do what there is to do and say how much it was; what it raises is logged, and it is called again."""

    def close(self) -> None:
        """Close the connection; the next drain opens another."""


def poll(
    work: Work, interval_seconds: float, stopping: threading.Event, beside: Engine | None = None
) -> None:
    """Drain at intervals until told to stop; not while an engine of the process beside it has just done so."""
    pause_seconds = interval_seconds
    while not stopping.wait(pause_seconds):
        if beside is None or time.monotonic() - beside.drained_at >= interval_seconds:
            is_well = _attempt(work, stopping.is_set) is not None
            pause_seconds = interval_seconds if is_well else max(interval_seconds, AWAY_SECONDS)
    with suppress(Exception):  # the process ends: nothing is left to be done about it
        work.close()


def drain_safely(work: Work, is_stopping: Callable[[], bool]) -> int:
    """Drain, and log whatever goes wrong: the next attempt comes with the next interval."""
    return _attempt(work, is_stopping) or 0


def _attempt(work: Work, is_stopping: Callable[[], bool]) -> int | None:
    try:
        return work.drain(is_stopping)
    except psycopg.OperationalError as error:
        if not is_stopping():
            logger.warning("the database is away, or cut the connection: %s", str(error).strip())
    except Exception:  # whatever it is, a worker that stops looking would stop every read model
        logger.exception("delivery failed; it is tried again")
        with suppress(Exception):  # it is broken anyway
            work.close()
    return None
