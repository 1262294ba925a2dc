"""Bells that look right and are not."""

import os

from outbox import bell
from outbox.bell import Bell


class WaitingBell(Bell):
    """Rings within the command, with a generous time-out."""

    def ring(self) -> None:
        try:
            bell.client(bell.options().redis_url, 6.0).ping()
        except bell.redis.RedisError:
            self.errors += 1

    def flush(self, timeout_seconds: float) -> bool:
        return True


class ImpatientBell(Bell):
    """Tries Redis each time, however often it failed."""

    def _call(self) -> None:
        self._silent_until = 0.0
        super()._call()
        self._silent_until = 0.0


class ForkBlindBell(Bell):
    """Believes that a forked child has the thread of its parent."""

    def renew(self) -> None:
        pass

    def ring(self) -> None:
        self._pid = self._pid and os.getpid()
        super().ring()


class OneJobABell(Bell):
    """Queues a job for each ring."""

    def ring(self) -> None:
        chosen = bell.options()
        bell._rope(chosen.redis_url, 1.0, chosen.queue)[1].enqueue(bell.JOB)

    def flush(self, timeout_seconds: float) -> bool:
        return True
