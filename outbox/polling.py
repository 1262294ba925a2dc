"""Look for work at intervals, whether a bell was heard or not."""

import logging
import threading
import time
from collections.abc import Callable

import psycopg

from .engine import Engine

logger = logging.getLogger(__name__)


def poll(
    engine: Engine, interval_seconds: float, stopping: threading.Event, beside: Engine | None = None
) -> None:
    """Drain at intervals until told to stop; not while another engine of the process has just done so."""
    while not stopping.wait(interval_seconds):
        if beside is None or time.monotonic() - beside.drained_at >= interval_seconds:
            drain_safely(engine, stopping.is_set)
    engine.close()


def drain_safely(engine: Engine, is_stopping: Callable[[], bool]) -> int:
    """Drain, and log whatever goes wrong: the next attempt comes with the next interval."""
    try:
        return engine.drain(is_stopping)
    except psycopg.OperationalError as error:
        logger.warning("the database is away, or cut the connection: %s", str(error).strip())
        return 0
    except Exception:  # whatever it is, a worker that stops looking would stop every read model
        logger.exception("delivery failed; it is tried again")
        engine.close()
        return 0
