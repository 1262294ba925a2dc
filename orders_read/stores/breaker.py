"""The breaker of a store, in each process's memory: a store that is away is tried by one reader now and then."""

import threading
import time

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0


class Breaker:
    """Closed until a call fails; then open for a pause that doubles with each failed trial."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pause_seconds = 0.0
        self._closed_until = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the last call failed, and nobody's trial has succeeded since."""
        return self._pause_seconds > 0

    def lets_pass(self) -> bool:
        """Say whether a call may be made; an open breaker lets one pass after each pause."""
        if not self._pause_seconds:
            return True
        with self._lock:
            if time.monotonic() < self._closed_until:
                return False
            self._closed_until = time.monotonic() + self._pause_seconds  # until this trial has an end
            return True

    def fail(self) -> None:
        """Open, or stay open for longer."""
        with self._lock:
            doubled = min(2 * self._pause_seconds, LONGEST_PAUSE_SECONDS)
            self._pause_seconds = max(doubled, FIRST_PAUSE_SECONDS)
            self._closed_until = time.monotonic() + self._pause_seconds

    def succeed(self) -> None:
        """Close."""
        if self._pause_seconds:
            with self._lock:
                self._pause_seconds = 0.0
