"""Connections of workers, and the transaction that is sent in one round trip."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

import psycopg
from django.db import connections

from .exceptions import InsideTransaction, PooledConnection
from .options import options

# A worker that is cut off must give its locks back soon, and no fold may run for ever.
SESSION = (
    "-c jit=off -c work_mem=64MB -c client_connection_check_interval=1s -c idle_in_transaction_session_timeout=10s"
    " -c statement_timeout={statement_timeout_seconds:g}s"
)
KEEP_ALIVES = {"keepalives": 1, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
PREPARED_STATEMENTS = 500

BREAK_OFF = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid = ANY ($1::int[]) AND state <> 'idle'
"""

logger = logging.getLogger(__name__)

_opened: WeakSet[psycopg.Connection[Any]] = WeakSet()
_opening = threading.Lock()


def connect(application_name: str) -> psycopg.Connection[Any]:
    """Open a direct connection to the default database, in autocommit; the caller closes it.

    Raises PooledConnection where a pooler stands between: locks, settings and prepared statements would be lost.
    """
    database = connections["default"]
    parameters = {**database.get_connection_params()}
    for of_django in ("cursor_factory", "context", "prepare_threshold"):
        parameters.pop(of_django, None)
    session = SESSION.format(statement_timeout_seconds=options().statement_timeout_seconds)
    parameters["options"] = f"{parameters.get('options', '')} {session}".strip()
    parameters["application_name"] = application_name
    connection = psycopg.connect(**{**KEEP_ALIVES, **parameters}, autocommit=True, prepare_threshold=5)
    connection.prepared_max = PREPARED_STATEMENTS
    _refuse_pooler(connection)
    with _opening:
        _opened.add(connection)
    return connection


def _refuse_pooler(connection: psycopg.Connection[Any]) -> None:
    # A pooler greets with a process number of its own, as it has no server process for the client.
    if one_value(connection.execute("SELECT pg_backend_pid()")) != connection.info.backend_pid:
        connection.close()
        raise PooledConnection


def break_off() -> None:
    """End the sessions of this process's workers that are at work, and with them what they have not committed.

    For the end of a process, from another thread. To its owner it looks as if the connection had been cut, which says
    nothing against what was being executed; a statement that is cancelled would look as if it had failed.
    """
    with _opening:
        sessions = [connection.info.backend_pid for connection in _opened if not connection.closed]
    logger.warning(
        "what is at work takes too long and is broken off"
    )  # before: the process may end right after it
    try:
        with connect("breaking off") as connection:
            psycopg.RawCursor(connection).execute(BREAK_OFF, [sessions])
    except psycopg.OperationalError as error:
        logger.warning("it cannot be broken off: %s", str(error).strip())


def django_connection() -> psycopg.Connection[Any]:
    """Lend the default connection of this thread; raises InsideTransaction when it is in one."""
    database = connections["default"]
    if database.in_atomic_block:
        raise InsideTransaction
    database.ensure_connection()
    lent: psycopg.Connection[Any] = database.connection
    return lent


@contextmanager
def pipelined_transaction(connection: psycopg.Connection[Any]) -> Iterator[psycopg.Pipeline]:
    """Send all that is executed inside, BEGIN and COMMIT included, at once; undo all of it on an error.

    Nothing can be fetched before the end, or the pipeline's `sync()`, so each statement needs a cursor of its own.
    """
    try:
        with connection.pipeline() as pipeline:
            connection.execute("BEGIN")
            yield pipeline
            connection.execute("COMMIT")
    except BaseException:
        if not connection.broken and not connection.closed:
            connection.rollback()
        raise


def one_value(cursor: psycopg.Cursor[Any]) -> Any:
    """Fetch the first column of the one row that a statement always answers."""
    row = cursor.fetchone()
    assert row is not None
    return row[0]
