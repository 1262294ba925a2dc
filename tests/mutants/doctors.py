"""Doctors who blame the wrong ones: each is a statement with one place changed."""

from outbox.doctor.horizon import SESSIONS
from outbox.doctor.locks import BLOCKERS


def _changed(statement: str, old: str, new: str) -> str:
    assert statement.count(old) == 1, old
    return statement.replace(old, new)


SEES_THIS_DATABASE_ONLY = _changed(SESSIONS, "WHERE pid", "WHERE datname = current_database() AND pid")
BLAMES_EVERY_SNAPSHOT = _changed(SESSIONS, "AND (datname = current_database() OR", "AND (true OR")
BLAMES_EVERY_TRANSACTION = _changed(
    SESSIONS, "AND (backend_xid IS NOT NULL", "AND (true OR backend_xid IS NOT NULL"
)
SEES_WRITES_ONLY = _changed(SESSIONS, "OR backend_xmin IS NOT NULL AND", "OR false AND")
BLAMES_THE_WAITING = _changed(BLOCKERS, "unnest(pg_blocking_pids(waiting.pid))", "unnest(ARRAY[waiting.pid])")
TAKES_NOBODY_FOR_A_WORKER = _changed(BLOCKERS, "bool_or(is_worker)", "false")
