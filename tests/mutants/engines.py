"""Engines that look right and are not."""

from collections.abc import Callable

from outbox.engine import Engine


class DeafEngine(Engine):
    """Waits to be called."""

    def drain(self, is_stopping: Callable[[], bool] = lambda: False) -> int:
        return 0


class FaithfulEngine(Engine):
    """Clings to its connection, whatever became of it."""

    def close(self) -> None:
        if self._delivery and not self._delivery.connection.closed:
            super().close()
