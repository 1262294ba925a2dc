"""Come to an end when a signal asks for it: softly at first, and within ten seconds whatever hangs."""

import logging
import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

from .connection import break_off

logger = logging.getLogger(__name__)

BREAK_OFF_SECONDS = 5.0  # so long a batch may take to end by itself; then it is undone, whole
END_SECONDS = 9.0
# A supervisor and the terminal may both send one: what comes so soon is the same wish.
SAME_WISH_SECONDS = 1.0

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopping:
    """The end of one process: `event` says that it was asked for, and a guard sees to it that it comes."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self._asked_at: float | None = None
        self._asked: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self.event.clear()
        self._asked_at = None
        threading.Thread(target=self._guard, name="guard", daemon=True).start()
        return self
        return self

    def __exit__(self, *_: object) -> None:
        self.event.set()
        if self._asked_at is not None:
            return  # guarded to the very end of the process
        self._asked.put(False)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()

    def listen(self, handler: Callable[[int, FrameType | None], None] | None = None) -> None:
        """Handle the signals that ask for the end, perhaps by a handler that calls `ask`; in the main thread only."""
        for number in SIGNALS:
            before = signal.signal(number, handler or self.ask)
            self._handlers.setdefault(number, before)

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Ask for the end; asked again, end at once, as if the signal had never been handled.

        Takes no lock: the thread that a handler interrupts may hold it.
        """
        if self._asked_at is None:
            self._asked_at = time.monotonic()
            self._asked.put(True)
        elif time.monotonic() - self._asked_at >= SAME_WISH_SECONDS:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def _guard(self) -> None:
        if not self._asked.get():
            return
        self.event.set()
        time.sleep(BREAK_OFF_SECONDS)
        threading.Thread(target=break_off, name="break off", daemon=True).start()
        time.sleep(END_SECONDS - BREAK_OFF_SECONDS)
        logger.warning("something hangs; the process ends nevertheless, and PostgreSQL undoes what was open")
        os._exit(0)


STOPPING = Stopping()
