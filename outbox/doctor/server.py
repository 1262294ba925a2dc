"""Settings of PostgreSQL on which the promises of delivery rest."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.backends.utils import CursorWrapper

from .findings import Finding, Severity, rows

SETTINGS = """
SELECT name, setting FROM pg_settings WHERE name = ANY (%s)
"""
CACHE = """
SELECT seqcache AS cached FROM pg_sequence WHERE seqrelid = pg_get_serial_sequence('outbox', 'message_id')::regclass
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """Values of a setting that break a promise, which one, and how to set it right."""

    id: str
    setting: str
    bad: frozenset[str]
    consequence: str
    mend: str
    severity: Severity = Severity.ERROR


RULES = (
    Rule(
        "doctor.D201",
        "fsync",
        frozenset({"off"}),
        "a crash of the machine may destroy the whole database",
        "ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf(). Off is for servers of tests.",
    ),
    Rule(
        "doctor.D202",
        "full_page_writes",
        frozenset({"off"}),
        "a crash of the machine may leave pages half written",
        "ALTER SYSTEM SET full_page_writes = on; SELECT pg_reload_conf(). Off is for servers of tests.",
    ),
    Rule(
        "doctor.D203",
        "synchronous_commit",
        frozenset({"off"}),
        "a command that was acknowledged may be lost when the server crashes",
        "Set it to on for the server, the database and the role; folds choose for themselves what may be lost.",
    ),
    Rule(
        "doctor.D204",
        "default_transaction_isolation",
        frozenset({"repeatable read", "serializable"}),
        "the relay reads what was true before it took its lock",
        "Set it to 'read committed' for the database and the role.",
    ),
    Rule(
        "doctor.D205",
        "session_replication_role",
        frozenset({"replica"}),
        "triggers do not fire: the log is not append-only, and writes past the commands are not refused",
        "Set it to origin for the database and the role.",
    ),
    Rule(
        "doctor.D206",
        "autovacuum",
        frozenset({"off"}),
        "dead rows of the outbox are never removed",
        "ALTER SYSTEM SET autovacuum = on; SELECT pg_reload_conf().",
        Severity.WARNING,
    ),
)


def find_settings(cursor: CursorWrapper) -> Iterator[Finding]:
    """Compare the settings of a session like ours with the rules."""
    settings = {
        row["name"]: row["setting"] for row in rows(cursor, SETTINGS, [[rule.setting for rule in RULES]])
    }
    for rule in RULES:
        if settings[rule.setting] in rule.bad:
            what = f"PostgreSQL's {rule.setting} is {settings[rule.setting]}: {rule.consequence}."
            yield Finding(rule.id, rule.severity, what, rule.mend)
    yield from find_cached_identities(cursor)


def find_cached_identities(cursor: CursorWrapper) -> Iterator[Finding]:
    """See to it that no session holds identities of messages back."""
    for row in rows(cursor, CACHE):
        if row["cached"] != 1:
            yield Finding(
                "doctor.D207",
                Severity.ERROR,
                f"The identity of outbox.message_id has CACHE {row['cached']}: a later event of an aggregate may get a "
                "lower identity, and be delivered too early.",
                "ALTER TABLE outbox ALTER COLUMN message_id SET CACHE 1; then let all sessions connect anew.",
            )
