"""What a worker does beside delivering, again and again, on a connection of its own: heart-beats, alarms."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg

from .connection import connect

Task = Callable[[psycopg.Connection[Any]], object]


class Routine:
    """A task that knows by itself when it is due; `farewell` is done when the worker ends on purpose."""

    def __init__(self, application_name: str, task: Task, farewell: Task | None = None) -> None:
        self._application_name = application_name
        self._task = task
        self._farewell = farewell
        self._connection: psycopg.Connection[Any] | None = None

    def drain(self, is_stopping: Callable[[], bool] = lambda: False) -> int:
        """Do the task; raises psycopg.OperationalError when the database is away."""
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._application_name)
        self._task(self._connection)
        return 0

    def close(self) -> None:
        """Say farewell and close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):  # who cannot say farewell is missed, a little later
                if self._farewell:
                    self._farewell(connection)
            connection.close()
