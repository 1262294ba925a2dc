"""The whole examination: every part by itself, so that one that cannot be done does not hide the others."""

from collections.abc import Callable, Iterator

from django.core.checks import run_checks
from django.db import Error, OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper

from . import horizon, locks, redis_server, registry, schema, server, sizes, staff
from .findings import Finding, Severity

# Somebody may hold the very tables that are looked at: then this one does not join those who wait.
LIMITS = "SELECT set_config('lock_timeout', '1s', true), set_config('statement_timeout', '10s', true)"

Part = Callable[[CursorWrapper], Iterator[Finding]]
PARTS: dict[str, Part] = {
    "locks": locks.find_blockers,
    "the horizon": horizon.find_holders,
    "PostgreSQL's settings": server.find_settings,
    "migrations": schema.find_migrations,
    "subscribers": registry.find_strangers,
    "workers": staff.find_silent_workers,
    "sizes": sizes.find_bloat,
}
SEES_OTHERS = "SELECT pg_has_role('pg_read_all_stats', 'MEMBER')"


def examine() -> list[Finding]:
    """Find all that can be found, the worst first."""
    found = [*_check_settings(), *redis_server.find_redis(), *_examine_database()]
    return sorted(found, key=lambda finding: (-finding.severity, finding.id))


def _check_settings() -> Iterator[Finding]:
    """Tell what the system checks say of the outbox's settings."""
    for message in run_checks(tags=["outbox"]):
        severity = Severity.ERROR if message.is_serious() else Severity.WARNING
        yield Finding(str(message.id), severity, str(message.msg), str(message.hint))


def _examine_database() -> Iterator[Finding]:
    try:
        connection.ensure_connection()
    except OperationalError as error:
        yield _unreachable(error)
        return
    for name, part in {"sessions of others": _find_rights, **PARTS}.items():
        yield from _examine(name, part)


def _examine(name: str, part: Part) -> list[Finding]:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(LIMITS)
            return list(part(cursor))
    except Error as error:
        if not connection.is_usable():
            connection.close()
        return [_not_examined(name, error)]


def _find_rights(cursor: CursorWrapper) -> Iterator[Finding]:
    cursor.execute(SEES_OTHERS)
    if cursor.fetchone() != (True,):
        what = "This role may not see the queries and transactions of others, so it cannot tell who is in the way."
        yield Finding("doctor.D003", Severity.INFO, what, "GRANT pg_read_all_stats to the role.")


def _unreachable(error: Exception) -> Finding:
    return Finding(
        "doctor.D001",
        Severity.ERROR,
        f"The database cannot be reached: {str(error).strip()}",
        "Start PostgreSQL, or name the right one in DATABASE_URL.",
    )


def _not_examined(name: str, error: Exception) -> Finding:
    return Finding(
        "doctor.D002",
        Severity.ERROR,
        f"No look at {name} was possible: {str(error).strip().partition(chr(10))[0]}",
        "Mend the other findings first: a lock that is held, or migrations that are not applied.",
    )
