"""How large the tables of delivery are, how many dead rows they carry, and how far back the log goes."""

from collections.abc import Iterator
from typing import Any

from django.db.backends.utils import CursorWrapper

from .. import partitions
from ..advice import counted
from .findings import Finding, Severity, rows, size

# Tables whose rows come and go all the time: they stay small while dead rows are removed.
TABLES = ("outbox", "checkpoints", "delivery_attempts", "dead_letters", "delivery_workers")
MOST_DEAD_ROWS = 100_000

BLOAT = """
SELECT relname AS name, n_live_tup AS live, n_dead_tup AS dead, pg_total_relation_size(relid)::float8 AS octets,
       coalesce(greatest(last_vacuum, last_autovacuum)::timestamp(0)::text, 'never') AS vacuumed
  FROM pg_stat_user_tables
 WHERE relname = ANY (%s) AND schemaname = ANY (current_schemas(false))
 ORDER BY octets DESC, relname
"""
LOG = """
SELECT count(*) AS partitions, coalesce(sum(pg_total_relation_size(inhrelid)), 0)::float8 AS octets,
       (SELECT coalesce(max(position), 0) FROM event_log) AS head,
       (SELECT min(position) FROM event_log) AS first,
       (SELECT recorded_at::timestamp(0)::text FROM event_log ORDER BY position LIMIT 1) AS since
  FROM pg_inherits WHERE inhparent = 'event_log'::regclass
"""
DETACHED = f"""
SELECT count(*) AS partitions, coalesce(sum(pg_total_relation_size(quote_ident(name)::regclass)), 0)::float8 AS octets
  FROM ({partitions.DETACHED}) AS detached
"""
HALF_DETACHED = f"SELECT name FROM ({partitions.ATTACHED}) AS attached WHERE is_pending"


def find_bloat(cursor: CursorWrapper) -> Iterator[Finding]:
    """Give the figures of each table, and warn of those with many dead rows."""
    for row in rows(cursor, BLOAT, [list(TABLES)]):
        yield _table(row)
    for row in rows(cursor, LOG):
        yield _log(row)
    for row in rows(cursor, DETACHED):
        if row["partitions"]:
            yield _detached(row)
    for row in rows(cursor, HALF_DETACHED):
        yield _half_detached(row)


def _table(row: dict[str, Any]) -> Finding:
    is_bloated = row["dead"] > MOST_DEAD_ROWS
    return Finding(
        "doctor.D602" if is_bloated else "doctor.D601",
        Severity.WARNING if is_bloated else Severity.INFO,
        f"{row['name']}: {size(row['octets'])}, about {row['live']} rows and {row['dead']} dead ones, last vacuumed: "
        f"{row['vacuumed']}.",
        f"End what keeps dead rows from being removed (doctor.D101 to D103), then VACUUM {row['name']}."
        if is_bloated
        else "Nothing to mend.",
    )


def _log(row: dict[str, Any]) -> Finding:
    events = (
        f"positions {row['first']} to {row['head']}, since {row['since']}" if row["first"] else "no events"
    )
    what = f"event_log: {counted(row['partitions'], 'partition')}, {size(row['octets'])}, {events}."
    return Finding(
        "doctor.D603", Severity.INFO, what, "Nothing to mend; `manage.py prune_events` makes it shorter."
    )


def _detached(row: dict[str, Any]) -> Finding:
    what = f"The log was pruned: {counted(row['partitions'], 'partition')}, {size(row['octets'])}, wait as tables."
    mend = (
        "`manage.py attach_events` puts them back, `manage.py prune_events --drop --yes` drops the old ones."
    )
    return Finding("doctor.D604", Severity.INFO, what, mend)


def _half_detached(row: dict[str, Any]) -> Finding:
    what = f"{row['name']} is half detached: prune_events was interrupted, and new statements do not read it."
    return Finding("doctor.D605", Severity.WARNING, what, "`manage.py prune_events` finishes it.")
