"""Delivery that outlives its connection: a worker's own, opened when needed and again after it was lost."""

import time
from collections.abc import Callable
from typing import Any

import psycopg

from . import checkpoints
from .connection import connect
from .delivery import Delivery

KEEP_CHECKPOINTS_SECONDS = 60.0
SWEEP_CHECKPOINTS_SECONDS = 10.0
LONGEST_DRAIN_SECONDS = 0.5


class Engine:
    """Drains on a connection of its own; a new connection starts with a new relay, which remembers nothing."""

    def __init__(self, application_name: str) -> None:
        self.drained_at = 0.0
        self._application_name = application_name
        self._delivery: Delivery | None = None
        self._swept_at = 0.0

    def drain(self, is_stopping: Callable[[], bool] = lambda: False) -> int:
        """Relay and fold until nothing is left; raises psycopg.OperationalError when the database is away.

        Under steady load something is always left: old checkpoints are swept in between.
        """
        folded, is_done = 0, False
        try:
            while not is_done:
                ends_at = time.monotonic() + LONGEST_DRAIN_SECONDS
                folded += self._opened().drain(lambda end=ends_at: is_stopping() or time.monotonic() >= end)  # type: ignore[misc]
                self._sweep(self._opened().connection)
                self.drained_at = time.monotonic()  # another engine of the process need not look
                is_done = is_stopping() or time.monotonic() < ends_at
        except psycopg.OperationalError:
            self.close()
            raise
        return folded

    def close(self) -> None:
        """Close the connection; the next drain opens another."""
        if self._delivery is not None:
            self._delivery.connection.close()
            self._delivery = None

    def _opened(self) -> Delivery:
        if self._delivery is None:
            self._delivery = Delivery(connect(self._application_name))
        return self._delivery

    def _sweep(self, connection: psycopg.Connection[Any]) -> None:
        if time.monotonic() - self._swept_at >= SWEEP_CHECKPOINTS_SECONDS:
            checkpoints.sweep(connection, KEEP_CHECKPOINTS_SECONDS)
            self._swept_at = time.monotonic()
