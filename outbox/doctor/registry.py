"""Whether settings and database name the same subscribers."""

from collections.abc import Iterator

from django.db.backends.utils import CursorWrapper

from ..options import options
from ..subscribers import projections
from .findings import Finding, Severity, rows

FED = "SELECT DISTINCT projection, bool_or(state = 'live') AS is_live FROM projection_generations GROUP BY 1 ORDER BY 1"
PUBLISHERS = "SELECT subscriber, kind, is_enabled FROM publishers ORDER BY 1"
STORED = "SELECT projection AS subscriber FROM projection_generations UNION SELECT subscriber FROM publishers"
PAUSED = "SELECT subscriber FROM paused_subscribers ORDER BY 1"


def find_strangers(cursor: CursorWrapper) -> Iterator[Finding]:
    """Find subscribers that only the one or only the other knows."""
    fed = {row["projection"]: row["is_live"] for row in rows(cursor, FED)}
    named = [projection.name for projection in projections()]
    publishers = rows(cursor, PUBLISHERS)
    yield from (_unbuilt(name) for name in named if not fed.get(name))
    yield from (_unregistered(name) for name in fed if name not in named)
    for row in publishers:
        if row["is_enabled"] and row["kind"] not in options().publishers:
            yield _without_code(row["subscriber"], row["kind"])
    known = {*fed, *named, *(row["subscriber"] for row in publishers)}
    for row in rows(cursor, PAUSED):
        if row["subscriber"] not in known:
            yield _paused(row["subscriber"])
    yield from find_unknown_slas(cursor)


def find_unknown_slas(cursor: CursorWrapper) -> Iterator[Finding]:
    """Find subscribers that only OUTBOX["SLA_SECONDS"] knows."""
    named = {projection.name for projection in projections()}
    stored = {row["subscriber"] for row in rows(cursor, STORED)}
    yield from (_sla(name) for name in sorted(options().sla_seconds.keys() - named - stored - {"default"}))


def _unbuilt(name: str) -> Finding:
    what = f"The settings name the projection {name!r}, which has no live generation: nobody feeds it."
    return Finding(
        "doctor.D401", Severity.ERROR, what, "`manage.py migrate` makes the tables of a new projection."
    )


def _unregistered(name: str) -> Finding:
    return Finding(
        "doctor.D402",
        Severity.WARNING,
        f"The database feeds the projection {name!r}, which the settings do not name.",
        "Name it in OUTBOX['SUBSCRIBERS'], or delete its rows of projection_generations and drop its tables.",
    )


def _without_code(name: str, kind: str) -> Finding:
    return Finding(
        "doctor.D403",
        Severity.ERROR,
        f"The publisher {name!r} is of the kind {kind!r}, for which the settings name no code.",
        f"Name the code in OUTBOX['PUBLISHERS'][{kind!r}], or disable the publisher.",
    )


def _paused(name: str) -> Finding:
    what = f"{name!r} is paused, but there is no such subscriber."
    return Finding("doctor.D404", Severity.WARNING, what, f"`manage.py resume_delivery {name}`.")


def _sla(name: str) -> Finding:
    what = f"OUTBOX['SLA_SECONDS'] names {name!r}, but there is no such subscriber."
    return Finding("doctor.D405", Severity.WARNING, what, "Give it the name of a subscriber, or `default`.")
