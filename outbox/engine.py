"""Delivery that outlives its connection: a worker's own, opened when needed and again after it was lost."""

import time
from collections.abc import Callable
from typing import Any

import psycopg

from . import checkpoints
from .attempts import Attempts
from .connection import connect
from .delivery import Delivery
from .quiet import Quiet, marks

KEEP_CHECKPOINTS_SECONDS = 60.0
SWEEP_CHECKPOINTS_SECONDS = 10.0
LONGEST_DRAIN_SECONDS = 0.5


class Engine:
    """Drains on a connection of its own; a new connection starts with a new relay, which remembers nothing.

    One that is called at intervals, and not by a bell, `rests`: it looks at the tables only when something may have
    happened.
    """

    def __init__(self, application_name: str, *, rests: bool = False) -> None:
        self.drained_at = 0.0
        self.rests = rests
        self._application_name = application_name
        self._delivery: Delivery | None = None
        self._attempts = Attempts()
        self._quiet = Quiet()
        self._swept_at = 0.0

    def drain(self, is_stopping: Callable[[], bool] = lambda: False) -> int:
        """Relay and fold until nothing is left; raises psycopg.OperationalError when the database is away."""
        try:
            delivery = self._opened()
            if self.rests and self._quiet.lasts(delivery.connection):
                return 0
            return self._drain(delivery, is_stopping)
        except psycopg.OperationalError:
            self.close()
            raise

    def _drain(self, delivery: Delivery, is_stopping: Callable[[], bool]) -> int:
        """Drain in turns: under steady load something is always left, and old checkpoints are swept in between."""
        folded, is_done = 0, False
        while not is_done:
            since = marks(delivery.connection) if self.rests else None
            ends_at = time.monotonic() + LONGEST_DRAIN_SECONDS
            folded += delivery.drain(lambda end=ends_at: is_stopping() or time.monotonic() >= end)  # type: ignore[misc]
            self._sweep(delivery.connection)
            self.drained_at = time.monotonic()  # another engine of the process need not look
            if is_stopping():
                break
            is_done = time.monotonic() < ends_at
            if is_done and since:
                self._quiet.begins(since, delivery.relay.bound.value)
        return folded

    def close(self) -> None:
        """Close the connection; the next drain opens another."""
        if self._delivery is not None:
            self._delivery.connection.close()
            self._attempts.close()
            self._delivery = None

    def _opened(self) -> Delivery:
        if self._delivery is None:
            self._attempts = Attempts()
            self._quiet = Quiet()
            self._delivery = Delivery(connect(self._application_name), attempts=self._attempts)
        return self._delivery

    def _sweep(self, connection: psycopg.Connection[Any]) -> None:
        if time.monotonic() - self._swept_at >= SWEEP_CHECKPOINTS_SECONDS:
            checkpoints.sweep(connection, KEEP_CHECKPOINTS_SECONDS)
            self._swept_at = time.monotonic()
