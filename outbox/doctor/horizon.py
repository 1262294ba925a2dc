"""Who keeps dead rows from being removed: old snapshots here, old writes anywhere, prepared transactions, slots.

Nothing is lost by it, and no event is late; but outbox and indexes grow, and what reads them gets slower.
"""

from collections.abc import Iterator
from typing import Any

from django.db.backends.utils import CursorWrapper

from ..statements import statement
from .findings import Finding, Severity, rows, size, span

OLD_SECONDS = 60.0

SESSIONS = statement("doctor_horizon")
PREPARED = """
SELECT gid, database, owner, extract(epoch FROM clock_timestamp() - prepared)::float8 AS seconds
  FROM pg_prepared_xacts
 WHERE prepared < clock_timestamp() - make_interval(secs => %s)
 ORDER BY prepared
"""
# An inactive slot holds rows back where it has an xmin, and the write-ahead log in any case.
SLOTS = """
SELECT slot_name, slot_type, xmin IS NOT NULL OR catalog_xmin IS NOT NULL AS holds_rows,
       coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::float8 AS kept_octets
  FROM pg_replication_slots
 WHERE NOT active
 ORDER BY slot_name
"""


def find_holders(cursor: CursorWrapper) -> Iterator[Finding]:
    """Name what holds the horizon back."""
    for row in rows(cursor, SESSIONS, [OLD_SECONDS]):
        yield _session(row)
    for row in rows(cursor, PREPARED, [OLD_SECONDS]):
        yield _prepared(row)
    for row in rows(cursor, SLOTS):
        yield _slot(row)


def describe_session(row: dict[str, Any]) -> str:
    """Say which session it is, for how long its transaction is open, and what it runs or ran last."""
    who = f"pid {row['pid']} ({row['application'] or 'no application name'}, {row['role']} from {row['address']})"
    return f"{who}, {row['state']}, open for {span(row['seconds'])}, last query: {row['query'] or '-'}"


def _session(row: dict[str, Any]) -> Finding:
    where = "this database" if row["is_here"] else f"the database {row['database']}"
    what = "has written" if row["has_written"] else "keeps a snapshot"
    return Finding(
        "doctor.D101",
        Severity.WARNING,
        f"A transaction in {where} {what} and keeps dead rows from being removed: {describe_session(row)}",
        f"Let its owner end it, or SELECT pg_terminate_backend({row['pid']}); "
        "idle_in_transaction_session_timeout ends forgotten ones by itself.",
    )


def _prepared(row: dict[str, Any]) -> Finding:
    return Finding(
        "doctor.D102",
        Severity.WARNING,
        f"The prepared transaction {row['gid']!r} in the database {row['database']}, of {row['owner']}, has waited for "
        f"{span(row['seconds'])} and keeps dead rows from being removed.",
        f"In that database, COMMIT PREPARED '{row['gid']}' or ROLLBACK PREPARED '{row['gid']}'.",
    )


def _slot(row: dict[str, Any]) -> Finding:
    holds = "dead rows and " if row["holds_rows"] else ""
    return Finding(
        "doctor.D103",
        Severity.WARNING,
        f"Nobody reads the {row['slot_type']} replication slot {row['slot_name']!r}; it keeps {holds}"
        f"{size(row['kept_octets'])} of the write-ahead log.",
        f"Start its reader, or SELECT pg_drop_replication_slot('{row['slot_name']}').",
    )
