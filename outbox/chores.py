"""Chores: small jobs of the project's apps that workers do at intervals, one worker at a time.

`OUTBOX["CHORES"]` maps the dotted path of a chore to the seconds between two runs in a worker. A chore does nothing
that cannot be done twice, and stays short: it is asked to end when its worker does.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
from django.utils.module_loading import import_string

from .connection import connect, one_value
from .options import options

CHORES_LOCK = 0x63686F72  # "chor"; the second key is a hash of the path
TRY_LOCK = "SELECT pg_try_advisory_lock($1::int, hashtext($2::text))"
LOOK_SECONDS = 1.0

Chore = Callable[[psycopg.Connection[Any], Callable[[], bool]], int]
"""Takes a connection in autocommit and a function that says when to stop; returns how many rows it dealt with."""

logger = logging.getLogger(__name__)


def run_at_intervals(stopping: threading.Event) -> None:
    """Do every chore whenever it is due, until told to stop; a failure is logged, and tried again the next time."""
    due_at = dict.fromkeys(options().chores, 0.0)
    while not stopping.wait(LOOK_SECONDS):
        for path, seconds in options().chores.items():
            if time.monotonic() >= due_at.get(path, 0.0) and not stopping.is_set():
                due_at[path] = time.monotonic() + seconds
                _run_safely(path, stopping.is_set)


def run(path: str, is_stopping: Callable[[], bool] = lambda: False) -> int | None:
    """Do one chore on a connection of its own; None when another worker is at it."""
    chore: Chore = import_string(path)
    with connect("chores") as connection:  # the lock goes with the connection
        if not one_value(psycopg.RawCursor(connection).execute(TRY_LOCK, [CHORES_LOCK, path])):
            return None
        return chore(connection, is_stopping)


def _run_safely(path: str, is_stopping: Callable[[], bool]) -> None:
    try:
        rows = run(path, is_stopping)
    except psycopg.OperationalError as error:
        logger.warning("%s is put off, as the database is away: %s", path, str(error).strip())
    except Exception:  # whatever it is, the next chore must have its turn
        logger.exception("%s failed; it is tried again", path)
    else:
        if rows:
            logger.info("%s: %d rows", path, rows)
