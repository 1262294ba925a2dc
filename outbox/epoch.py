"""The epoch of the log: tokens of another history, restored or copied, must not be believed."""

import time
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

import psycopg
from django.db import connection

from .statements import statement

KNOWN = statement("epoch_known")
CURRENT = statement("epoch_current")
RENEW = statement("epoch_renew")

# No connection to a server outlives a restore or a fail-over, but one to a pooler may: it looks again after this long.
BELIEVED_SECONDS = 5.0

_known: WeakKeyDictionary[psycopg.Connection[object], tuple[UUID, float]] = WeakKeyDictionary()


def current_epoch() -> UUID:
    """Answer the epoch of the log, renewed first when cluster, timeline or table are others; a replica only reads.

    It is looked up once for a connection and then every BELIEVED_SECONDS.
    """
    connection.ensure_connection()
    epoch, believed_until = _known.get(connection.connection, (None, 0.0))
    if epoch is None or time.monotonic() > believed_until:
        epoch = _looked_up()
        _known[connection.connection] = epoch, time.monotonic() + BELIEVED_SECONDS
    return epoch


def _looked_up() -> UUID:
    with connection.cursor() as cursor:
        return look_up(cursor)


def look_up(cursor: Any) -> UUID:
    """Read the epoch on any connection to the database, Django's or psycopg's; renew it if the history is another."""
    epoch: UUID | None
    cursor.execute(KNOWN)
    (epoch,) = cursor.fetchone()
    if epoch is None:
        cursor.execute(CURRENT)
        system_identifier, timeline, log_oid = cursor.fetchone()
        names = {"system_identifier": system_identifier, "timeline": timeline, "log_oid": log_oid}
        cursor.execute(RENEW, names)
        cursor.execute(KNOWN)
        (epoch,) = cursor.fetchone()
    assert epoch is not None
    return epoch
