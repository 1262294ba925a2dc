"""The record of what operators did: who, when, what, to whom, and why. Its rows stay for ever."""

import getpass
import json
from typing import Any

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.utils.connection import ConnectionProxy

RECORD = """
INSERT INTO operator_actions (actor, action, subject, reason, details)
VALUES (%s::text, %s::text, %s::text, %s::text, %s::jsonb)
"""

Where = BaseDatabaseWrapper | ConnectionProxy | CursorWrapper | psycopg.Connection[Any] | psycopg.Cursor[Any]  # type: ignore[type-arg]


def record(where: Where, actor: str, action: str, subject: str, reason: str = "", **details: object) -> None:
    """Record an action in the transaction that carries it out, on Django's connection or psycopg's.

    `actor` is `kind:key` (`user:17`, `shell:ada`); `details` must go into JSON.
    """
    _cursor(where).execute(RECORD, [actor, action, subject, reason, json.dumps(details)])


def shell_actor() -> str:
    """Name whoever runs a command of manage.py, by the name they logged in with."""
    try:
        return f"shell:{getpass.getuser()}"
    except (KeyError, OSError):  # a container may run under a number without a name
        return "shell:unknown"


def _cursor(where: Where) -> Any:
    if isinstance(where, BaseDatabaseWrapper | ConnectionProxy):
        return where.cursor()
    if isinstance(where, psycopg.Connection):
        return psycopg.Cursor(where)
    return psycopg.Cursor(where.connection) if isinstance(where, psycopg.RawCursor) else where
