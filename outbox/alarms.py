"""Ring when a subscriber is in trouble: once when that begins, and once more when it is over.

Workers look every few seconds, one at a time; episodes are kept in a table, so that no worker rings for what another
has rung for. Where no worker lives nobody looks: that is for `delivery_status` or a scrape of the metrics to tell.
"""

import atexit
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from django.utils.module_loading import import_string

from .advice import describe, title
from .connection import one_value
from .exceptions import TablesAreLocked
from .lag import Lag, Look, Status, look
from .options import options
from .statements import statement

logger = logging.getLogger(__name__)

ALARM_LOCK = 0x616C6172  # "alar"; the second key is 0
LOOK_SECONDS = 5.0
# A lag that swings about its SLA is one episode, not one with each swing.
QUIET_SECONDS = 30.0
# A round that fails once, for a lock or a connection, is no reason to wake anybody.
FAILING_SECONDS = 5.0
MOST_CALLS = 4
FAREWELL_SECONDS = 2.0

TRY_LOCK = "SELECT pg_try_advisory_xact_lock($1::int, 0)"
OPEN = "SELECT subject, kind, detail FROM alarm_episodes WHERE ended_at IS NULL"
EPISODES = statement("alarm_episodes")

# What mends itself, and what a person has asked for, is shown by `delivery_status` and does not ring.
RINGING = frozenset({Status.BEHIND, Status.PARKED, Status.STALLED, Status.FAILING, Status.MISSING})

Troubles = dict[tuple[str, str], str]
"""The details of troubles by subject and kind."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """What a hook is told: a trouble of a subscriber has begun, or is over.

    `subject` names the subscriber, `kind` the status in lower case; `detail` is a sentence for people, of the moment
    when it began. Of `delivery` as a whole the kind `locked` is told: nobody can see how it does.
    """

    subject: str
    kind: str
    detail: str
    is_over: bool


def log_alarm(alarm: Alarm) -> None:
    """Log an alarm at ERROR, and its end at INFO: the hook where the settings name no other."""
    if alarm.is_over:
        logger.info("alarm is over: %s (%s)", alarm.subject, alarm.kind)
    else:
        logger.error("alarm: %s (%s): %s", alarm.subject, alarm.kind, alarm.detail)


class Watch:
    """The alarms of one worker process: when it has looked, and which calls of the hook have not ended."""

    def __init__(self) -> None:
        self._looked_at: float | None = None
        self._calls: list[threading.Thread] = []
        self._gone_since: dict[tuple[str, str], float] = {}

    def check(self, connection: psycopg.Connection[Any]) -> None:
        """Look, at most every LOOK_SECONDS, and ring for what began or ended; not while another worker looks.

        The connection must be in autocommit. The hook is called in a thread of its own, so that it can neither stop
        nor delay delivery; each change is rung for once, even when the hook fails. Raises what the connection raises.
        """
        if self._looked_at is not None and time.monotonic() - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = time.monotonic()
        with connection.transaction(), psycopg.RawCursor(connection) as cursor:
            if not one_value(cursor.execute(TRY_LOCK, [ALARM_LOCK])):
                return
            changes = self._change_episodes(connection, cursor)
        if changes:
            self._ring(changes)

    def _change_episodes(
        self, connection: psycopg.Connection[Any], cursor: psycopg.RawCursor[Any]
    ) -> list[Alarm]:
        """Look, begin and end episodes, and return what changed."""
        going_on = {(subject, kind): detail for subject, kind, detail in cursor.execute(OPEN)}
        try:
            troubles = _troubles(look(connection))
        except TablesAreLocked as error:  # what cannot be looked at goes on, whatever it was
            troubles = {**going_on, ("delivery", "locked"): str(error)}
        troubles = {**self._swinging(going_on, troubles), **troubles}
        columns = [list(column) for column in zip(*((*key, troubles[key]) for key in troubles), strict=True)]
        return [Alarm(*row) for row in cursor.execute(EPISODES, columns or [[], [], []]).fetchall()]

    def _swinging(self, going_on: Troubles, troubles: Troubles) -> Troubles:
        """Give the troubles that are gone, but not for long enough to be over."""
        gone = {key: detail for key, detail in going_on.items() if key not in troubles}
        now = time.monotonic()
        self._gone_since = {key: self._gone_since.get(key, now) for key in gone}
        return {key: gone[key] for key, since in self._gone_since.items() if now - since < QUIET_SECONDS}

    def flush(self, timeout_seconds: float = FAREWELL_SECONDS) -> None:
        """Wait for the calls of the hook that have not ended; for the end of a process, and for tests."""
        ends_at = time.monotonic() + timeout_seconds
        for call in self._calls:
            call.join(max(ends_at - time.monotonic(), 0))

    def _ring(self, changes: Sequence[Alarm]) -> None:
        """Call the hook in a thread; when too many calls hang, log instead."""
        self._calls = [call for call in self._calls if call.is_alive()]
        if len(self._calls) >= MOST_CALLS:
            logger.error("the alarm hook hangs: %d calls have not ended", len(self._calls))
            for alarm in changes:
                log_alarm(alarm)
            return
        if not self._calls:
            atexit.unregister(self.flush)
            atexit.register(self.flush)
        call = threading.Thread(target=_call_hook, args=(changes,), name="alarm", daemon=True)
        self._calls.append(call)
        call.start()


def check_alarms(connection: psycopg.Connection[Any]) -> None:
    """Look and ring, as `Watch.check` of this process does; to be called at every turn of a worker's sweep."""
    WATCH.check(connection)


WATCH = Watch()


def _troubles(found: Look) -> Troubles:
    return {
        (title(lag), trouble.name.lower()): describe(lag, trouble)
        for lag in found.subscribers
        if lag.is_shown
        for trouble in lag.troubles
        if _rings(lag, trouble)
    }


def _rings(lag: Lag, trouble: Status) -> bool:
    is_fresh = trouble is Status.FAILING and lag.failing_seconds < FAILING_SECONDS
    return trouble in RINGING and not is_fresh


def _call_hook(changes: Sequence[Alarm]) -> None:
    """Hand each change to the hook; one that it raises at is logged, so that it is not lost."""
    for alarm in changes:
        try:
            import_string(options().alarm_hook)(alarm)
        except Exception:  # whatever a hook of somebody else's raises, the other alarms must be rung
            logger.exception("the alarm hook failed")
            log_alarm(alarm)
