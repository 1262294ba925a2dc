"""Mistakes in `settings.OUTBOX`, told with an id and a hint when Django starts."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import fields
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as Remark
from django.db import ProgrammingError, connection
from django.db.backends.utils import CursorWrapper
from django.utils.module_loading import import_string

from .doctor.registry import find_unknown_slas
from .doctor.server import find_settings
from .options import Options, options
from .subscribers import Projection, Table
from .upcasters import NAME, UNFIT, gaps, names
from .versions import difference

NUMBERS = [field.name.upper() for field in fields(Options) if field.type in (int, float)]
JSON_SERIALIZER = "rq.serializers.JSONSerializer"
MOST_BELL_SECONDS = 0.05

LIVE = """
SELECT projection, generation, version, statements_hash FROM projection_generations WHERE state = 'live' ORDER BY 1
"""


@register("outbox")
def check_settings(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Check the settings of the outbox."""
    given = getattr(settings, "OUTBOX", {})
    if not isinstance(given, dict):
        return [Error("OUTBOX is not a dictionary.", hint="OUTBOX = {'SUBSCRIBERS': […]}", id="outbox.E001")]
    return [
        *_names(given),
        *_numbers(given),
        *_alarms(given),
        *_chores(given),
        *_upcasters(given),
        *_queue(given),
        *_serializers(),
        *_database(),
        *_subscribers(given),
    ]


@register(Tags.database)
def check_database(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None, **_: Any
) -> list[CheckMessage]:
    """Check what `doctor` checks of settings, with `manage.py check --database default`.

    Warnings all of them: `migrate` runs these checks too, and must be able to mend what they find.
    """
    if "default" not in (databases or ()):
        return []
    with connection.cursor() as cursor, suppress(ProgrammingError):  # the tables are not made yet
        found = [*find_settings(cursor), *find_unknown_slas(cursor)]
        remarks = [Remark(one.what, hint=one.mend, id=one.id) for one in found]
        return [*remarks, *_versions(cursor), *_functions(cursor)]
    return []


def _versions(cursor: CursorWrapper) -> Iterator[CheckMessage]:
    """Find live generations that the code of today would not build."""
    cursor.execute(LIVE)
    for projection, *generation in cursor.fetchall():
        said, _, hint = difference(projection, *generation).partition(": ")
        if said:
            yield Remark(f"The live generation of {projection!r} {said}.", hint=f"{hint}.", id="outbox.W002")


def _functions(cursor: CursorWrapper) -> Iterator[CheckMessage]:
    """Find upcasters that the database does not have, or that may answer otherwise the next time."""
    cursor.execute(UNFIT, [names(options().upcasters)])
    for (name,) in cursor.fetchall():
        what = f"The database has no IMMUTABLE function {name}(jsonb) that returns jsonb."
        hint = "`manage.py migrate`, or write a migration that creates it, before the code that needs it is deployed."
        yield Remark(what, hint=hint, id="outbox.W003")


def _names(given: dict[str, Any]) -> Iterator[CheckMessage]:
    known = {field.name.upper() for field in fields(Options)}
    for name in sorted(given.keys() - known):
        hint = f"It may name {', '.join(sorted(known))}."
        yield Error(f"OUTBOX names {name!r}, which means nothing.", hint=hint, id="outbox.E002")


def _numbers(given: dict[str, Any]) -> Iterator[CheckMessage]:
    for name in NUMBERS:
        value = given.get(name, 1)
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            yield Error(f"OUTBOX[{name!r}] is {value!r}.", hint="Give a number above 0.", id="outbox.E003")
    days = given.get("KEEP_EVENTS_DAYS")
    if days is not None and (isinstance(days, bool) or not isinstance(days, int | float) or days < 0):
        hint = "Give a number of days, or None to keep the log for ever."
        yield Error(f"OUTBOX['KEEP_EVENTS_DAYS'] is {days!r}.", hint=hint, id="outbox.E003")
    if isinstance(value := given.get("BELL_TIMEOUT_SECONDS", 0), int | float) and value > MOST_BELL_SECONDS:
        hint = f"Keep it at {MOST_BELL_SECONDS} or below: the sweep finds what the bell has lost."
        yield Remark(f"The bell may take {value} s.", hint=hint, id="outbox.W001")


def _alarms(given: dict[str, Any]) -> Iterator[CheckMessage]:
    chosen = given.get("SLA_SECONDS", {})
    if not isinstance(chosen, dict):
        hint = "OUTBOX['SLA_SECONDS'] = {'default': 10, 'order_details': 2}"
        yield Error("OUTBOX['SLA_SECONDS'] is not a dictionary.", hint=hint, id="outbox.E012")
        return
    for name, value in chosen.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            hint = "Give a number above 0."
            yield Error(f"OUTBOX['SLA_SECONDS'][{name!r}] is {value!r}.", hint=hint, id="outbox.E013")
    path = given.get("ALARM_HOOK", Options().alarm_hook)
    try:
        is_function = callable(import_string(path))
    except (ImportError, AttributeError):
        is_function = False
    if not is_function:
        hint = "Give the dotted path of a function that takes an outbox.alarms.Alarm."
        yield Error(f"OUTBOX['ALARM_HOOK'] {path!r} is no function.", hint=hint, id="outbox.E014")


def _chores(given: dict[str, Any]) -> Iterator[CheckMessage]:
    chores = given.get("CHORES", {})
    if not isinstance(chores, dict):
        hint = "Map the dotted path of each chore to the seconds between two runs."
        yield Error(f"OUTBOX['CHORES'] is {chores!r}.", hint=hint, id="outbox.E030")
        return
    for path, seconds in chores.items():
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds <= 0:
            hint = "Give the seconds between two runs, a number above 0."
            yield Error(f"The chore {path!r} is to run every {seconds!r} s.", hint=hint, id="outbox.E031")
        try:
            is_wrong = not callable(import_string(path))
        except ImportError:
            is_wrong = True
        if is_wrong:
            hint = "Give the dotted path of a function that takes a connection and a function which says when to stop."
            yield Error(f"The chore {path!r} is no function.", hint=hint, id="outbox.E032")


def _upcasters(given: dict[str, Any]) -> Iterator[CheckMessage]:
    chains = given.get("UPCASTERS", {})
    form = "OUTBOX['UPCASTERS'] = {'OrderPlaced': {1: 'upcast_order_placed_1'}}"
    if not isinstance(chains, dict) or not all(isinstance(chain, dict) for chain in chains.values()):
        yield Error(f"OUTBOX['UPCASTERS'] is {chains!r}.", hint=form, id="outbox.E040")
        return
    for event_type, chain in chains.items():
        for version, name in chain.items():
            if not isinstance(version, int) or not isinstance(name, str) or not NAME.fullmatch(name):
                what = f"The upcaster {name!r} of {event_type} version {version!r} names no function."
                yield Error(what, hint=form, id="outbox.E041")
                return
    with suppress(ImportError):  # the path is told of elsewhere
        newest = import_string(given["EVENTS"]) if given.get("EVENTS") else {}
        hint = "Name a function for every version but today's, so that each event can be read as it is today."
        for gap in gaps(chains, newest):
            yield Error(f"OUTBOX['UPCASTERS']: {gap}.", hint=hint, id="outbox.E042")


def _queue(given: dict[str, Any]) -> Iterator[CheckMessage]:
    queue = given.get("QUEUE", Options().queue)
    if given.get("REDIS_URL") and queue not in getattr(settings, "RQ_QUEUES", {}):
        hint = f"Add {queue!r} to RQ_QUEUES, or name one of its queues in OUTBOX['QUEUE']."
        yield Error(f"The queue {queue!r} of the drain jobs does not exist.", hint=hint, id="outbox.E004")


def _serializers() -> Iterator[CheckMessage]:
    for name, queue in getattr(settings, "RQ_QUEUES", {}).items():
        if queue.get("SERIALIZER") != JSON_SERIALIZER:
            hint = f"'SERIALIZER': {JSON_SERIALIZER!r}. Whoever writes into Redis could have any code run otherwise."
            yield Error(f"The jobs of the queue {name!r} are not JSON.", hint=hint, id="outbox.E016")


def _database() -> Iterator[CheckMessage]:
    if not settings.DATABASES.get("default", {}).get("ENGINE", "").endswith("postgresql"):
        hint = "Relay and folds are written in PostgreSQL's SQL."
        yield Error("The default database is not PostgreSQL.", hint=hint, id="outbox.E005")


def _subscribers(given: dict[str, Any]) -> Iterator[CheckMessage]:
    projections: list[Projection] = []
    for path in given.get("SUBSCRIBERS", ()):
        try:
            found = import_string(path)
        except ImportError as error:
            hint = "Give the dotted path of a Projection object."
            yield Error(f"The subscriber {path!r} cannot be imported: {error}", hint=hint, id="outbox.E006")
            continue
        if isinstance(found, Projection):
            projections.append(found)
        else:
            hint = "Give the path of an object of outbox.subscribers.Projection."
            yield Error(f"The subscriber {path!r} is no projection.", hint=hint, id="outbox.E007")
    yield from _slas(given, {one.name for one in projections})
    yield from _doubles("projection", [one.name for one in projections])
    yield from _doubles("table", [table.name for one in projections for table in one.tables])
    for one in projections:
        yield from _projection(one)


def _slas(given: dict[str, Any], known: set[str]) -> Iterator[CheckMessage]:
    """Find names that nobody has; a publisher's stands in the database, where `doctor` looks for it."""
    chosen = given.get("SLA_SECONDS", {})
    if isinstance(chosen, dict) and not given.get("PUBLISHERS"):
        for name in sorted(chosen.keys() - known - {"default"}):
            hint = f"It may name default, {', '.join(sorted(known))}."
            yield Error(f"OUTBOX['SLA_SECONDS'] names no subscriber: {name!r}.", hint=hint, id="outbox.E015")


def _doubles(kind: str, names: list[str]) -> Iterator[CheckMessage]:
    for name, count in Counter(names).items():
        if count > 1:
            hint = f"Give each {kind} a name of its own."
            yield Error(f"{count} subscribers have a {kind} named {name!r}.", hint=hint, id="outbox.E008")


def _projection(one: Projection) -> Iterator[CheckMessage]:
    if one.version < 1 or not one.tables:
        hint = "A projection has a version from 1 on and at least one table."
        yield Error(f"The projection {one.name!r} is not complete.", hint=hint, id="outbox.E009")
    for table in one.tables:
        yield from _table(one, table)


def _table(one: Projection, table: Table) -> Iterator[CheckMessage]:
    if "{table}" not in table.fold or "batch" not in table.fold or "event_log" in table.fold:
        hint = "A fold is INSERT INTO {table} … SELECT … FROM batch … and never names the log."
        yield Error(f"The fold of {one.name}.{table.name} is wrong.", hint=hint, id="outbox.E010")
    if any("{table}" not in index for index in table.indexes):
        hint = "CREATE INDEX ON {table} (…): its name differs by generation."
        yield Error(
            f"An index of {one.name}.{table.name} does not say {{table}}.", hint=hint, id="outbox.E011"
        )
