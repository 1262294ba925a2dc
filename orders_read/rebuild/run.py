"""Run a rebuild from its beginning, or from where it was interrupted, to the swap."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from outbox import actions
from outbox.changes import MOVE as ANNOUNCE
from outbox.connection import connect
from outbox.subscribers import Projection, table_name

from ..generations import drop_generation, generations
from ..verify.comparing import differences
from ..verify.meeting import meet, standing
from ..verify.sampling import random_aggregates, sample_differs
from . import record
from .alone import alone
from .building import Build, Watch, begin
from .exceptions import NothingToResume, RebuildCancelled, RebuildError, RebuildUnfinished, SampleDiffers
from .record import Rebuild
from .swapping import swap

SAMPLED_AGGREGATES = 200
LIVE = (
    "SELECT generation FROM projection_generations WHERE projection = %s AND version = %s AND state = 'live'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What whoever asks for a rebuild wants of it.

    `keep_hours` is how long the replaced generation is kept for a roll-back; without `swaps` the new one is built, and
    waits to be resumed.
    """

    actor: str
    reason: str = ""
    batch_size: int = 10_000
    keep_hours: int = 24
    swaps: bool = True
    resumes: bool = False
    accepts_parked: bool = False


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What came of it: the record, for how long the swap kept readers waiting, and how many rows the old one had wrong.

    There is no waiting without a swap, and no comparison with a generation of another version, or one that left out
    parked or skipped events.
    """

    rebuild: Rebuild
    swap_seconds: float | None
    rows_mended: int | None = None


def rebuild(projection: Projection, wishes: Wishes, watch: Watch = lambda _: None) -> Rebuilt:
    """Rebuild one read model, on connections of its own; nothing with a side effect runs, and no reader notices.

    Raises RebuildError, and LogIsPruned. What is interrupted stands where it was, unless it was cancelled.
    """
    with connect(f"rebuild {projection.name}"[:63]) as connection, alone(connection, projection.name):
        found = _begin_or_resume(connection, projection, wishes)
        try:
            return _run(connection, projection, found, wishes, watch)
        except RebuildCancelled:
            give_up(connection, found)
            raise
        except (RebuildError, psycopg.Error) as error:
            found.error = str(error).partition("\n")[0]
            if not connection.closed:
                record.note(connection, found)
            raise


def cancel(projection: str, actor: str) -> bool:
    """Ask the rebuild of a projection to end, or end an interrupted one; say whether there was one."""
    with connect("cancel rebuild") as connection:
        with connection.transaction():
            if not record.ask_to_cancel(connection, projection):
                return False
            actions.record(connection, actor, "cancel_rebuild", projection)
        try:
            with alone(connection, projection):
                if found := record.unfinished(connection, projection):
                    give_up(connection, found)
        except RebuildError:
            pass  # whoever is at work sees the wish at the next step
    return True


def give_up(connection: psycopg.Connection[Any], rebuild: Rebuild) -> None:
    """Drop what a rebuild has built, and record its end."""
    drop_generation(connection, rebuild.projection, rebuild.generation)
    rebuild.phase = "cancelled"
    record.note(connection, rebuild)


def _begin_or_resume(connection: psycopg.Connection[Any], projection: Projection, wishes: Wishes) -> Rebuild:
    _drop_orphans(connection, projection.name)
    found = record.unfinished(connection, projection.name)
    if found and not wishes.resumes:
        raise RebuildUnfinished(projection=projection.name, percent=found.percent)
    if not found and wishes.resumes:
        raise NothingToResume(projection=projection.name)
    with connection.transaction():
        made = found or begin(connection, projection, wishes.actor, wishes.reason)
        actions.record(
            connection,
            wishes.actor,
            "resume_rebuild" if found else "rebuild",
            projection.name,
            wishes.reason,
            generation=made.generation,
        )
        record.take(connection, made)
    return made


def _drop_orphans(connection: psycopg.Connection[Any], projection: str) -> None:
    """Drop what a killed verification left behind: we hold its lock, so nobody is at it."""
    found = record.unfinished(connection, projection)
    for generation, state in generations(connection.cursor(), projection):
        if state == "building" and (found is None or generation != found.generation):
            drop_generation(connection, projection, generation)


def _run(
    connection: psycopg.Connection[Any],
    projection: Projection,
    found: Rebuild,
    wishes: Wishes,
    watch: Watch,
) -> Rebuilt:
    build = Build(connection, projection, found, wishes.batch_size, watch)
    for step in _steps(build, connection, projection):
        step()
    mended = rows_that_differ(connection, projection, found.generation)
    if not wishes.swaps:
        build.enter("ready")
        return Rebuilt(found, None, mended)
    build.catch_up()

    def write_down() -> None:
        record.note(connection, replace(found, phase="swapped"))
        told = {"generation": found.generation}
        actions.record(connection, wishes.actor, "swap", projection.name, wishes.reason, **told)

    seconds = swap(
        connection,
        projection.name,
        found.generation,
        keep_hours=wishes.keep_hours,
        accept_parked=wishes.accepts_parked,
        also=write_down,
    )
    found.phase = "swapped"
    connection.execute(ANNOUNCE)
    watch(found)
    return Rebuilt(found, seconds, mended)


def _steps(
    build: Build, connection: psycopg.Connection[Any], projection: Projection
) -> Sequence[Callable[[], None]]:
    def verify() -> None:
        build.enter("verifying")
        check_sample(connection, projection, build.rebuild.generation)

    return build.fold_all, build.index, build.catch_up, verify


def rows_that_differ(
    connection: psycopg.Connection[Any], projection: Projection, generation: int
) -> int | None:
    """Count the rows in which the live generation differs from the new one at one position; None where it may."""
    row = connection.execute(LIVE, [projection.name, projection.version]).fetchone()
    if row is None:
        return None
    sides = [standing(connection, projection.name, one) for one in (row[0], generation)]
    if any(has_left_out for _, _, _, has_left_out in sides):
        return None
    with connect(f"compare {projection.name}"[:63]) as reader, reader.transaction():
        meet(connection, reader, projection.name, row[0], generation)
        return sum(
            len(differences(reader, name, table_name(name, row[0]), table_name(name, generation)))
            for name in sides[0][2]
        )


def check_sample(connection: psycopg.Connection[Any], projection: Projection, generation: int) -> None:
    """Compare some rows with a fresh fold of all their events; raises SampleDiffers."""
    for number, table in enumerate(projection.tables):
        if table.aggregate_type:
            chosen = random_aggregates(connection, table, SAMPLED_AGGREGATES)
            found = sample_differs(connection, projection.name, generation, table, number, chosen)
            if found:
                raise SampleDiffers(table=table.name, count=len(found), first=found[0].key)
