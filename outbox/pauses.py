"""Pause a subscriber, so that nothing is delivered to it, and resume it where it stands; the reason is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from . import actions
from .changes import announce
from .exceptions import UnknownSubscribers
from .folding import DELIVERY_LOCK
from .subscribers import projections

KNOWN = "SELECT projection FROM projection_generations UNION SELECT subscriber FROM publishers"
PAUSED = "SELECT subscriber, reason, actor, paused_at FROM paused_subscribers ORDER BY subscriber"
PAUSE = """
INSERT INTO paused_subscribers (subscriber, reason, actor) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING
"""
RESUME = "DELETE FROM paused_subscribers WHERE subscriber = %s RETURNING reason, paused_at"

# A round that began before the pause holds the lock of its subscribers until it ends.
WAIT = """
SELECT pg_advisory_xact_lock(%s::int, hashtext(projection || ' ' || generation))
  FROM projection_generations WHERE projection = ANY (%s)
"""


@dataclass(frozen=True, slots=True)
class Pause:
    """Who is paused, why, by whom and since when."""

    subscriber: str
    reason: str
    actor: str
    paused_at: datetime


def paused() -> list[Pause]:
    """List the subscribers that are paused."""
    with connection.cursor() as cursor:
        cursor.execute(PAUSED)
        return [Pause(*row) for row in cursor.fetchall()]


def known_subscribers() -> list[str]:
    """Name the projections of the settings and of the database, and the publishers."""
    with connection.cursor() as cursor:
        cursor.execute(KNOWN)
        return sorted({one.name for one in projections()} | {name for (name,) in cursor.fetchall()})


def pause(names: Sequence[str], reason: str, actor: str) -> list[str]:
    """Pause subscribers and return who was not paused already; raises UnknownSubscribers, and then pauses none.

    Who was keeps its first reason. On return, nothing is delivered to projections any more: what was at work is over.
    """
    _refuse_unknown(names, known_subscribers())
    changed = []
    with transaction.atomic(), connection.cursor() as cursor:
        for name in sorted(set(names)):
            cursor.execute(PAUSE, [name, reason, actor])
            if cursor.rowcount:
                actions.record(connection, actor, "pause_delivery", name, reason)
                changed.append(name)
        announce()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(WAIT, [DELIVERY_LOCK, changed])
    return changed


def resume(names: Sequence[str], actor: str, reason: str = "") -> list[str]:
    """Let subscribers go on where they stand and return who was paused; raises UnknownSubscribers."""
    _refuse_unknown(names, [*known_subscribers(), *(one.subscriber for one in paused())])
    changed = []
    with transaction.atomic(), connection.cursor() as cursor:
        for name in sorted(set(names)):
            cursor.execute(RESUME, [name])
            if row := cursor.fetchone():
                told = {"paused_because": row[0], "paused_at": row[1].isoformat()}
                actions.record(connection, actor, "resume_delivery", name, reason, **told)
                changed.append(name)
        announce()
    return changed


def _refuse_unknown(names: Sequence[str], known: Sequence[str]) -> None:
    if unknown := sorted(set(names) - set(known)):
        raise UnknownSubscribers(unknown=unknown, known=sorted(set(known)))
