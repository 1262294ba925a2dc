"""Verify a projection: whole, by its shadow; or some of its aggregates, where a row tells of one aggregate alone."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from outbox import actions
from outbox.connection import connect
from outbox.exceptions import LogIsPruned, StaleCheckpoint
from outbox.subscribers import Projection, Table, projections

from ..rebuild.alone import alone
from ..rebuild.exceptions import RebuildAtWork
from . import record
from .comparing import Difference
from .exceptions import LettersMoved, NoLiveGeneration, NotByAggregate
from .record import Verification
from .sampling import aggregates_since, random_aggregates, sample_differs
from .shadow import ATTEMPTS, Budget, Shadow

LIVE = "SELECT generation FROM projection_generations WHERE projection = %s AND state = 'live'"

# A worker's slice of the continuous verification; with a pause of twenty times as long it takes a twentieth of a core.
SLICE_SECONDS = 1.0
SLICE_BATCH_SIZE = 1_000

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification found: rows compared, those that differ (oldest key first), how many were mended."""

    projection: str
    rows_compared: int
    differences: Sequence[Difference]
    repaired: int = 0


def verify(projection: str, *, repairs: bool, actor: str, reason: str = "") -> Verified:
    """Compare every row of a projection's live tables with a fresh fold of the log, on connections of its own.

    Raises VerifyError, RebuildAtWork and LogIsPruned.
    """
    with connect(f"verify {projection}"[:63]) as connection, alone(connection, projection):
        for _ in range(ATTEMPTS):
            try:
                return _verify(connection, projection, repairs=repairs, actor=actor, reason=reason)
            except (LettersMoved, StaleCheckpoint):
                continue  # what the shadow left out was settled meanwhile: it is begun anew
        raise LettersMoved(projection=projection)


def _verify(
    connection: psycopg.Connection[Any], projection: str, *, repairs: bool, actor: str, reason: str
) -> Verified:
    shadow = Shadow(connection, projection)
    while not shadow.build(Budget()):
        pass
    found = shadow.compare()
    mended = shadow.repair(found) if repairs and found else 0
    if mended:
        keys = [[one.table, *one.key] for one in found[:100]]
        actions.record(connection, actor, "repair", projection, reason, rows=mended, first=keys)
    shadow.drop()
    return Verified(projection, shadow.verification.rows_compared, found, mended)


def verify_aggregates(
    projection: Projection, *, since: int | None = None, sample: int | None = None
) -> Verified:
    """Compare the rows of the aggregates to which something happened after a position, or of some taken by chance.

    Reads their events only. Raises NotByAggregate when no table of the projection is made of single aggregates.
    """
    tables = [(number, table) for number, table in enumerate(projection.tables) if table.aggregate_type]
    if not tables:
        raise NotByAggregate(projection=projection.name)
    with connect(f"verify {projection.name}"[:63]) as connection:
        row = connection.execute(LIVE, [projection.name]).fetchone()
        if row is None:
            raise NoLiveGeneration(projection=projection.name)
        found: list[Difference] = []
        compared = 0
        for number, table in tables:
            chosen = _chosen(connection, table, since, sample)
            found += sample_differs(connection, projection.name, row[0], table, number, chosen)
            compared += len(chosen)
    return Verified(projection.name, compared, found)


def _chosen(
    connection: psycopg.Connection[Any], table: Table, since: int | None, sample: int | None
) -> list[int]:
    if since is not None:
        return aggregates_since(connection, table, since)
    return random_aggregates(connection, table, sample or 100)


def continue_verifying(connection: psycopg.Connection[Any], is_stopping: Callable[[], bool]) -> int:
    """Go on with the continuous verification for a slice: a chore of workers; return how many rows differ.

    The projection whose last verification is the oldest comes next. Nothing is repaired: that is for a person.
    """
    for name in _longest_unverified(connection):
        if is_stopping():
            break
        try:
            with alone(connection, name):
                return _slice(connection, name)
        except (RebuildAtWork, NoLiveGeneration):
            continue
        except (LettersMoved, StaleCheckpoint):
            break  # it is begun anew with the next slice
        except LogIsPruned:
            logger.info("read models cannot be verified on a pruned log")
            break
    return 0


def _slice(connection: psycopg.Connection[Any], name: str) -> int:
    shadow = Shadow(connection, name, SLICE_BATCH_SIZE)
    if not shadow.build(Budget(SLICE_SECONDS)):
        return 0
    found = shadow.compare()
    shadow.drop()
    if found:
        logger.error(
            "%s: %d rows differ from a fresh fold; see `verify_projection %s`", name, len(found), name
        )
    return len(found)


def _longest_unverified(connection: psycopg.Connection[Any]) -> list[str]:
    """List the projections of the settings: one that is being verified first, then the longest unverified."""
    newest = {one.projection: one for one in record.newest(connection)}
    names = [one.name for one in projections()]

    def order(name: str) -> tuple[bool, float]:
        last: Verification | None = newest.get(name)
        ended = last.finished_at.timestamp() if last and last.finished_at else 0.0
        return record.unfinished(connection, name) is None, ended

    return sorted(names, key=order)
