"""Build a mirror: copy every document into a new generation, let it catch up, and show it in the place of the old one.

From the moment that a build is recorded, events bring their documents to it too, so it misses nothing: what changed
before that is in the rows that are copied, and what is copied late is older than what an event has brought, and changes
nothing. It is shown only when every lane has passed the events that were folded when the copy ended; then whatever the
old generation holds, it holds too. The record follows the store, so who dies in between repeats the last step.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import psycopg

from outbox import actions
from outbox.changes import MOVE as ANNOUNCE
from outbox.connection import connect, one_value
from outbox.epoch import look_up
from outbox.folding import hold
from outbox.publishers import breaker, lanes, loop

from ..stores.choice import Chosen, all_chosen, chosen
from ..stores.contract import GenerationLost
from ..stores.documents import DOCUMENTS
from . import record
from .exceptions import MirrorAtWork, MirrorStandsStill, NoSource, NoSuchMirror
from .record import Generation
from .source import Source
from .touching import refresh

TRY_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('mirror ' || $1::text, 0))"
UNLOCK = "SELECT pg_advisory_unlock(hashtextextended('mirror ' || $1::text, 0))"
COPIED_AT_ONCE = 500
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.05


@dataclass(slots=True, kw_only=True)
class Work:
    """What whoever works on a mirror has in hand; `is_stopping` asks for an end between two steps."""

    connection: psycopg.Connection[Any]
    mirror: Chosen
    is_stopping: Callable[[], bool] = lambda: False
    watch: Callable[[int], None] = lambda _: None
    owner: UUID = field(default_factory=uuid4)


def mirror_of(read_model: str) -> Chosen:
    """Find the mirror of a read model in the settings; raises NoSuchMirror."""
    if (found := chosen(read_model)) is None:
        known = ", ".join(one.read_model for one in all_chosen()) or "none"
        raise NoSuchMirror(read_model=read_model, known=known)
    return found


@contextmanager
def alone(connection: psycopg.Connection[Any], mirror: Chosen) -> Iterator[None]:
    """Be the only one who builds, mends or drops a mirror; raises MirrorAtWork. The lock goes with the connection."""
    cursor = psycopg.RawCursor(connection)
    if not one_value(cursor.execute(TRY_LOCK, [mirror.subscriber])):
        raise MirrorAtWork(mirror=mirror.subscriber)
    try:
        yield
    finally:
        if not connection.closed:
            cursor.execute(UNLOCK, [mirror.subscriber])


def rebuild(
    mirror: Chosen, actor: str, reason: str = "", watch: Callable[[int], None] = lambda _: None
) -> int:
    """Build a mirror anew, or go on with a build that was interrupted, and show it; return its number of documents.

    Raises MirrorError and StoreUnavailable. What is interrupted is gone on with by a worker, or the next call.
    """
    with connect(f"rebuild {mirror.subscriber}"[:63]) as connection, alone(connection, mirror):
        work = Work(connection=connection, mirror=mirror, watch=watch)
        build = unfinished(work) or begin(work)
        breaker.release_trial(connection, mirror.subscriber)  # the store has just answered
        copy(work, build)
        finish(work, build)
        actions.record(
            connection, actor, "rebuild_mirror", mirror.subscriber, reason, generation=build.generation
        )
        return _now(work, build).documents


def unfinished(work: Work) -> Generation | None:
    """Find a build to go on with; one whose source was replaced, or that the store lost, is given up."""
    build = record.one_in_state(_generations(work), "building")
    if build is None:
        return None
    store = work.mirror.store
    is_usable = (
        build.source_generation == record.live_source(work.connection, work.mirror.read_model)
        and store.is_trusted()
        and store.holds(build.generation, _history(work))
    )
    if not is_usable:
        record.change(work.connection, work.mirror.subscriber, build.generation, "retired")
        return None
    return build


def begin(work: Work) -> Generation:
    """Begin a new generation from what the read model shows now; raises NoSource.

    What is folded late or mended is noted for mirrors in the transaction that does so, which holds the projection: so
    it sees the new generation, or is over before its copy begins.
    """
    give_up_lost(work)
    connection, mirror = work.connection, work.mirror
    source = record.live_source(connection, mirror.read_model)
    if source is None:
        raise NoSource(read_model=mirror.read_model)
    _clear_the_place(work)
    with connection.transaction():
        connection.execute(record.DURABLE)
        hold(connection, mirror.read_model, source)
        position = record.source_position(connection, mirror.read_model, source) or 0
        record.add_publisher(connection, mirror, DOCUMENTS[mirror.read_model].payload_key, position)
        generation = record.add(connection, mirror, source)
        empty = Source(DOCUMENTS[mirror.read_model], source).empty(connection)
        mirror.store.begin(generation, empty, _history(work))  # before anybody can write to it
    connection.execute(ANNOUNCE)
    return next(one for one in _generations(work) if one.generation == generation)


def _clear_the_place(work: Work) -> None:
    """Delete what the store has under the next number: of a mirror that was dropped, or of a restored database."""
    number = max((one.generation for one in _generations(work)), default=0) + 1
    work.mirror.store.drop(number, lambda: False)


def give_up_lost(work: Work) -> bool:
    """Show nothing, and feed nothing, where the store has lost what it held, or holds what is no longer true.

    That is so when the source was dropped, or the database was restored to an earlier moment.
    """
    live = record.one_in_state(_generations(work), "live")
    if live is None:
        return False
    store = work.mirror.store
    has_source = (
        record.source_position(work.connection, work.mirror.read_model, live.source_generation) is not None
    )
    if has_source and store.is_trusted() and store.holds(live.generation, _history(work)):
        return False
    store.hide()
    record.change(work.connection, work.mirror.subscriber, live.generation, "retired")
    return True


def copy(work: Work, build: Generation, ends_at: float = float("inf")) -> bool:
    """Copy documents in the order of their keys; say whether all are copied. Raises GenerationLost."""
    source = Source(DOCUMENTS[work.mirror.read_model], build.source_generation)
    key = build.seeded_to
    _wait_for_source(work, build)
    while page := source.page(work.connection, key, COPIED_AT_ONCE):
        work.mirror.store.write([build.generation], page)
        key = page[-1].key
        if not record.seeded(work.connection, work.mirror.subscriber, build.generation, key, len(page)):
            raise GenerationLost("the build was given up")
        work.watch(len(page))
        if time.monotonic() >= ends_at or work.is_stopping():
            return False
    return True


def _wait_for_source(work: Work, build: Generation) -> None:
    """Let the source come to where another one stands that is fed: who has not seen the build yet goes by that one."""
    goal = max(
        record.source_position(work.connection, work.mirror.read_model, one.source_generation) or 0
        for one in _generations(work)
        if one.state != "retired"
    )
    _wait(work, goal, lambda: _source_position(work, build), "its read model does")


def finish(work: Work, build: Generation) -> None:
    """Let a build that is copied catch up, and show it. Raises MirrorStandsStill."""
    catch_up(work)
    refresh(work.connection, work.mirror, work.is_stopping)
    show(work, build)


def catch_up(work: Work) -> None:
    """Let every lane pass the events that are folded now, serving those that nobody serves.

    Raises MirrorStandsStill.
    """
    fed = [one for one in _generations(work) if one.state != "retired"]
    goal = max(_source_position(work, one) for one in fed)
    mirror = work.mirror

    def position() -> int:
        for standing in lanes.standings(work.connection, mirror.subscriber):
            if standing.has_work:
                loop.serve(standing.lane, work.owner, work.is_stopping)
        return record.position(work.connection, mirror.subscriber) or 0

    _wait(work, goal, position, "is it paused, or its store away?")


def _wait(work: Work, goal: int, position: Callable[[], int], why: str) -> None:
    ends_at = time.monotonic() + PATIENCE_SECONDS
    while (found := position()) < goal:
        if time.monotonic() >= ends_at or work.is_stopping():
            raise MirrorStandsStill(mirror=work.mirror.subscriber, position=found, goal=goal, why=why)
        time.sleep(LOOK_SECONDS)


def show(work: Work, build: Generation) -> None:
    """Let readers see a build that has caught up; the old generation is fed no more, and dropped later."""
    work.mirror.store.show(build.generation)
    connection, subscriber = work.connection, work.mirror.subscriber
    with connection.transaction():
        if live := record.one_in_state(_generations(work), "live"):
            record.change(connection, subscriber, live.generation, "retired")
        record.change(connection, subscriber, build.generation, "live")


def drop_retired(work: Work) -> int:
    """Delete the documents of generations that are fed no more; return how many those were."""
    dropped = 0
    for one in _generations(work):
        if one.state == "retired" and not work.is_stopping():
            dropped += work.mirror.store.drop(one.generation, work.is_stopping)
            if not work.is_stopping():
                record.forget(work.connection, work.mirror.subscriber, one.generation)
    return dropped


def _history(work: Work) -> str:
    """Name the history of the log: in a database that was restored, versions mean something else."""
    with work.connection.cursor() as cursor:
        return str(look_up(cursor))


def _generations(work: Work) -> list[Generation]:
    return list(record.generations(work.connection, work.mirror.subscriber))


def _now(work: Work, build: Generation) -> Generation:
    return next(one for one in _generations(work) if one.generation == build.generation)


def _source_position(work: Work, one: Generation) -> int:
    return record.source_position(work.connection, work.mirror.read_model, one.source_generation) or 0
