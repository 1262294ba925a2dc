"""Serve all lanes that have work, each by a thread and a connection of its own, so that none waits for another."""

import logging
import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import psycopg

from ..connection import connect
from ..exceptions import SubscriberGone
from ..heartbeats import PUBLISHERS, Heartbeat
from ..options import options
from ..quiet import Marks
from ..quiet import marks as marks_of
from . import lanes, marks
from .lanes import Lane
from .registry import publisher_of
from .turns import Turns

logger = logging.getLogger(__name__)

RELAY_SECONDS = 1.0  # by then what was drawn stands in the log, unless its transaction takes long
LONGEST_JOB_SECONDS = 10.0  # then others have their turn, should there be more lanes than threads
ASIDE_SECONDS = 1.0  # for a lane that another process serves, or that failed
STOP_SECONDS = 4.0
DISABLE = "UPDATE publishers SET is_enabled = false WHERE subscriber = $1::text"


def serve(lane: Lane, owner: UUID, is_stopping: Callable[[], bool]) -> int | None:
    """Serve one lane until nothing is left, for a while; return how many events were taken, None if another has it.

    The lock belongs to the session, so the connection is the lane's own and is closed with the job.
    """
    ends_at = time.monotonic() + LONGEST_JOB_SECONDS
    with connect(f"publisher {lane.name}") as connection:
        if not lanes.try_lock(connection, lane):
            return None
        try:
            target = publisher_of(lane.kind).open(connection, lane.subscriber)
        except SubscriberGone as error:
            logger.error("%s is disabled: %s", lane.subscriber, error)  # noqa: TRY400 – nothing of ours failed
            psycopg.RawCursor(connection).execute(DISABLE, [lane.subscriber])
            return 0
        turns = Turns(connection, lane, target, owner, is_stopping)
        try:
            while not is_stopping() and time.monotonic() < ends_at and turns.turn():
                pass
        finally:
            target.close()
        return turns.taken


class PublisherLoop:
    """The lanes of one process: a look that finds work, and at most `publisher_threads` threads that do it."""

    def __init__(self, stopping: threading.Event | None = None) -> None:
        self.stopping = stopping or threading.Event()
        self._closing = threading.Event()
        self.owner = uuid4()
        self.taken = 0
        self._connection: psycopg.Connection[Any] | None = None
        self._threads: dict[Lane, threading.Thread] = {}
        self._served_at: dict[Lane, float] = {}
        self._not_before: dict[Lane, float] = {}
        self._heartbeat = Heartbeat(PUBLISHERS)
        self._seen: Marks | None = None
        self._looked_at = 0.0
        self._look_until = 0.0
        self._ended = threading.Event()
        self._changing = threading.Lock()

    def run_once(self, most_seconds: float = math.inf) -> int:
        """Serve until no lane has work that can be done now, but those of others; return how many events were taken."""
        ends_at = time.monotonic() + most_seconds
        while not self.stopping.is_set() and time.monotonic() < ends_at and (self.look() or self._threads):
            self.wait_for_lane(0.1)
        return self.taken

    def run(self, interval_seconds: float = 0.05) -> None:
        """Serve whatever comes until told to stop, then wait a little for what is under way.

        Every interval two sequences are read. When they say that something happened, or a lane has ended, or a second
        has passed (a retry may be due, and the relay may be late), the lanes are looked at.
        """
        while not self.stopping.is_set():
            try:
                self._tick()
            except psycopg.OperationalError as error:
                logger.warning("the database is away, or cut the connection: %s", str(error).strip())
                self.stopping.wait(ASIDE_SECONDS)
            except Exception:  # whatever it is, a process that stops looking would stop every publisher
                logger.exception("publishing failed; it is tried again")
                self.stopping.wait(ASIDE_SECONDS)
            if self.wait_for_lane(interval_seconds):
                self._look_until = time.monotonic() + interval_seconds
        self.close()

    def _tick(self) -> None:
        connection = self._opened()
        self._heartbeat.beat(connection)
        seen, now = marks_of(connection), time.monotonic()
        if seen != self._seen:
            self._seen, self._look_until = seen, now + RELAY_SECONDS
        if now < self._look_until or now - self._looked_at >= options().sweep_seconds:
            self._looked_at = now
            self.look()

    def look(self) -> int:
        """Start a thread for each lane that has work and none; return how many were started.

        Who has waited longest goes first, should there be more lanes than threads. Raises psycopg.OperationalError when
        the database is away.
        """
        waiting = [each.lane for each in lanes.standings(self._opened()) if each.has_work]
        now = time.monotonic()
        with self._changing:
            idle = [
                lane
                for lane in waiting
                if lane not in self._threads and self._not_before.get(lane, 0.0) <= now
            ]
            room = max(options().publisher_threads - len(self._threads), 0)
        chosen = sorted(idle, key=lambda lane: self._served_at.get(lane, 0.0))[:room]
        for lane in chosen:
            self._start(lane)
        return len(chosen)

    def wait_for_lane(self, seconds: float) -> bool:
        """Wait until a lane's job has ended, which may have left work or made room."""
        has_ended = self._ended.wait(seconds)
        self._ended.clear()
        return has_ended

    def close(self) -> None:
        """Wait for calls under way, but not for long: what is left comes again, and is nobody's failure."""
        self._closing.set()
        ends_at = time.monotonic() + STOP_SECONDS
        with self._changing:
            threads = list(self._threads.values())
        for thread in threads:
            thread.join(max(ends_at - time.monotonic(), 0))
        if any(thread.is_alive() for thread in threads):
            with connect("publishers end") as connection:
                marks.remove_of(connection, self.owner)
        with suppress(psycopg.Error):
            self._heartbeat.stop(self._opened())
        self._close_connection()

    def _opened(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = connect(PUBLISHERS)
        return self._connection

    def _close_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _is_ending(self) -> bool:
        return self.stopping.is_set() or self._closing.is_set()

    def _start(self, lane: Lane) -> None:
        # A daemon: a call that hangs must not keep the process from ending when it is told to.
        thread = threading.Thread(
            target=self._serve, args=(lane,), name=f"publisher {lane.name}", daemon=True
        )
        with self._changing:
            self._threads[lane], self._served_at[lane] = thread, time.monotonic()
        thread.start()

    def _serve(self, lane: Lane) -> None:
        taken = None
        try:
            taken = serve(lane, self.owner, self._is_ending)
        except psycopg.OperationalError as error:
            logger.warning("%s lost the database: %s", lane.name, str(error).strip())
        except Exception:  # whatever it is, the lane is served again, and no other lane hears of it
            logger.exception("%s failed; it is tried again", lane.name)
        finally:
            with self._changing:
                self.taken += taken or 0
                if taken is None:
                    self._not_before[lane] = time.monotonic() + ASIDE_SECONDS
                del self._threads[lane]
            self._ended.set()
