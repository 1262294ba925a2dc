"""The epoch of the log: tokens of another history, restored or copied, must not be believed."""

from uuid import UUID
from weakref import WeakKeyDictionary

import psycopg
from django.db import connection

from .statements import statement

CURRENT = statement("epoch_current")
RENEW = statement("epoch_renew")
STORED = "SELECT epoch FROM log_epoch"

# By connection, as no connection outlives a restore; one to a pooler may, until CONN_MAX_AGE closes it.
_known: WeakKeyDictionary[psycopg.Connection[object], UUID] = WeakKeyDictionary()


def current_epoch() -> UUID:
    """Answer the epoch of the log, renewed first when cluster, timeline or table are others; a replica only reads."""
    connection.ensure_connection()
    if connection.connection not in _known:
        _known[connection.connection] = _renewed()
    return _known[connection.connection]


def _renewed() -> UUID:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_is_in_recovery()")
        if not cursor.fetchone()[0]:
            cursor.execute(CURRENT)
            system_identifier, timeline, log_oid = cursor.fetchone()
            names = {"system_identifier": system_identifier, "timeline": timeline, "log_oid": log_oid}
            cursor.execute(RENEW, names)
        cursor.execute(STORED)
        epoch: UUID = cursor.fetchone()[0]
    return epoch
