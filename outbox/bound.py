"""The safe lower bound of the relay's scan, so that dead rows under an old snapshot are not read again and again."""

import time
from typing import Any

import psycopg

from .connection import one_value
from .statements import statement

LAST_IDENTITY = (
    "SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM outbox_message_id_seq"
)
WRITERS = statement("writers")


class ScanBound:
    """The identity up to which no message is left, nor can appear any more.

    An identity is drawn under the table's lock. So once every transaction is over that held the lock when the last
    identity was read, all identities up to that one are settled: committed or lost. A scan that begins after that, and
    moves messages in the order of their identities, leaves none of the settled ones behind as far as it comes. The last
    relayed identity alone would not do (a lower one may commit later), nor a transaction id (restored with the dump).
    Lives in memory: a new relay starts at 0.
    """

    def __init__(self, interval_seconds: float = 0.2) -> None:
        self.value = 0
        self._settled = 0
        self._interval_seconds = interval_seconds
        self._looked_at = 0.0
        self._candidate = 0
        self._writers: set[str] = set()

    def scanned(self, cursor: psycopg.RawCursor[Any], last: int | None = None) -> None:
        """Note a scan that was committed, and look at the writers when it is time.

        It moved everything that it saw up to the identity `last`; without one, everything that there was.
        """
        self.value = max(self.value, self._settled if last is None else min(last, self._settled))
        now = time.monotonic()
        if now - self._looked_at >= self._interval_seconds:
            self._looked_at = now
            self._look(cursor)

    def _look(self, cursor: psycopg.RawCursor[Any]) -> None:
        """Find out whether more is settled; what is found counts for the next scan, as this one has seen too little."""
        if self._writers:
            self._writers &= _writers(cursor)
        else:
            # The identity first: a transaction that draws a lower one later than this has its lock already.
            self._candidate = _last_identity(cursor)
            if self._candidate > self._settled:
                self._writers = _writers(cursor)
        if not self._writers:
            self._settled = self._candidate


def _last_identity(cursor: psycopg.RawCursor[Any]) -> int:
    return int(one_value(cursor.execute(LAST_IDENTITY)))


def _writers(cursor: psycopg.RawCursor[Any]) -> set[str]:
    return {transaction for (transaction,) in cursor.execute(WRITERS)}
