"""Tell an idle worker that nothing can have happened, at the price of reading two sequences.

Reading tables would be dear under an old snapshot, which keeps the dead rows of all that was ever delivered.
"""

import time
from dataclasses import dataclass
from typing import Any

import psycopg

MARKS = """
SELECT CASE WHEN drawn.is_called THEN drawn.last_value ELSE drawn.last_value - 1 END,
       CASE WHEN changed.is_called THEN changed.last_value ELSE 0 END
  FROM outbox_message_id_seq AS drawn, delivery_changes AS changed
"""

# What moves neither sequence, or was moved before its commit, is found by then.
LONGEST_QUIET_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Marks:
    """The identity that was drawn last, and how often somebody changed what delivery has to do."""

    identity: int
    changes: int


class Quiet:
    """What one worker knows of the time since it found everything delivered."""

    def __init__(self) -> None:
        self._since: Marks | None = None
        self._ends_at = 0.0

    def lasts(self, connection: psycopg.Connection[Any]) -> bool:
        """Say whether nothing can have happened since quiet began; False also when it is time to look anyway."""
        return (
            self._since is not None and time.monotonic() < self._ends_at and marks(connection) == self._since
        )

    def begins(self, since: Marks, settled_identity: int) -> None:
        """Note that everything was found delivered in a look which began after `since` was read.

        That is not enough: an identity up to `since` may belong to a transaction that commits later. So quiet begins
        only when the relay knows that all of them are settled (`ScanBound`).
        """
        self._since = since if settled_identity >= since.identity else None
        self._ends_at = time.monotonic() + LONGEST_QUIET_SECONDS


def marks(connection: psycopg.Connection[Any]) -> Marks:
    """Read both sequences: one statement, two buffers."""
    row = psycopg.RawCursor(connection).execute(MARKS, prepare=True).fetchone()
    assert row is not None
    return Marks(*row)
