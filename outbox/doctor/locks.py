"""Who holds a lock that somebody waits for, or one by which workers keep each other off."""

from collections.abc import Iterator
from typing import Any

from django.db.backends.utils import CursorWrapper

from ..advice import counted
from ..folding import DELIVERY_LOCK
from ..relay import RELAY_LOCK
from ..statements import statement
from .findings import Finding, Severity, rows, span
from .horizon import describe_session

WAIT_SECONDS = 2.0
KEPT_SECONDS = 30.0
WORKERS = "^(run_)?delivery|^careful|^publisher|^alarms|^heart-beat"  # how workers name their connections

BLOCKERS = statement("doctor_blockers")
KEEPERS = statement("doctor_keepers")
KEYS = [[RELAY_LOCK, DELIVERY_LOCK], ["the relay", "delivery"]]


def find_blockers(cursor: CursorWrapper) -> Iterator[Finding]:
    """Name the sessions that others wait for, and those that keep relay or delivery to themselves."""
    for row in rows(cursor, BLOCKERS, [WORKERS, WAIT_SECONDS]):
        yield _blocker(row)
    for row in rows(cursor, KEEPERS, [*KEYS, KEPT_SECONDS]):
        yield _keeper(row)


def _blocker(row: dict[str, Any]) -> Finding:
    is_prepared = row["pid"] == 0
    who = "a prepared transaction" if is_prepared else describe_session(row)
    mend = (
        "SELECT * FROM pg_prepared_xacts, then COMMIT PREPARED or ROLLBACK PREPARED."
        if is_prepared
        else f"Let its owner end it, or SELECT pg_terminate_backend({row['pid']})."
    )
    return Finding(
        "doctor.D111" if row["holds_a_worker"] else "doctor.D112",
        Severity.ERROR if row["holds_a_worker"] else Severity.WARNING,
        f"A lock is waited for by {counted(row['sessions'], 'session')}, for up to {span(row['waited_seconds'])}, and "
        f"held by {who}. The first of those who wait is pid {row['first']}",
        mend,
    )


def _keeper(row: dict[str, Any]) -> Finding:
    return Finding(
        "doctor.D113",
        Severity.ERROR,
        f"No other worker can take on {row['name']}, whose lock is held by {describe_session(row)}",
        f"Unless it is a long fold that moves on (`delivery_status`), SELECT pg_terminate_backend({row['pid']}).",
    )
