"""Pauses that look right and are not."""

from django.db import connection

from outbox import pauses
from outbox.delivery import LOCK, STATE

# Take everybody, paused or not.
HEEDLESS_LOCK, HEEDLESS_STATE = (
    "\n".join(line for line in statement.splitlines() if "paused_subscribers" not in line)
    for statement in (LOCK, STATE)
)


def pause_at_once(names: list[str], reason: str, actor: str) -> None:
    """Leave what is at work alone."""
    with connection.cursor() as cursor:
        for name in names:
            cursor.execute(pauses.PAUSE, [name, reason, actor])
