"""Bring the events of the log to every projection: rounds that fold the next range and move the checkpoint with it.

Read models and checkpoint move in one transaction. Its correctness rests on the checkpoint's compare-and-set alone;
the advisory locks only spare two workers from doing the same work.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from . import checkpoints, failures
from .connection import django_connection, pipelined_transaction
from .exceptions import StaleCheckpoint
from .folds import GenerationKey, StoredFolds
from .options import options
from .relay import Relay
from .rounds import Group, Member, groups
from .statements import statement

DELIVERY_LOCK = 0x64656C69  # "deli"; the second key is a hash of projection and generation
LOCK = statement("round_lock")
STATE = statement("round_state")
HOLD = "SELECT pg_advisory_xact_lock($1::int, hashtext($2::text || ' ' || $3::int))"

# Folds can be repeated, so their commit need not wait for the disk. A small range gets a plan that is kept and goes
# by indexes, even when it was made for empty tables; a large range gets a plan for its size, and joins by hash, since
# a log that grows fast is taken for a small one, and a nested loop over thousands of events takes minutes.
SETTINGS = """
SELECT set_config('synchronous_commit', 'off', true), set_config('plan_cache_mode', $1, true),
       set_config('enable_nestloop', $2, true), set_config('enable_seqscan', $3, true),
       set_config('enable_hashjoin', $3, true), set_config('enable_mergejoin', $3, true)
"""
SMALL_RANGE = 100
FOR_SMALL = ["force_generic_plan", "on", "off"]
FOR_LARGE = ["force_custom_plan", "off", "on"]

LONGEST_PAUSE_SECONDS = 0.05

# At many events a second a round for every few of them would take a core from the commands: then small rounds wait a
# little, so that the next finds more to do.
BUSY_EVENTS_A_SECOND = 500
BREATHLESS_EVENTS = 50
BREATH_SECONDS = 0.01

logger = logging.getLogger(__name__)

FOLDS = StoredFolds()


@dataclass(frozen=True, slots=True)
class RoundResult:
    """What a round did: events folded, whether more wait, whether another worker holds a subscriber, who failed."""

    events: int = 0
    is_behind: bool = False
    is_busy: bool = False
    failed: tuple[str, ...] = ()


STALE = RoundResult(is_behind=True, is_busy=True)


class FoldFailed(Exception):
    """A group could not be folded; nothing of the round was kept."""

    def __init__(self, group: Group, error: psycopg.Error) -> None:
        self.group = group
        self.error = error
        super().__init__(group, error)


class Delivery:
    """Relay and rounds on one connection, which must be in autocommit."""

    def __init__(self, connection: psycopg.Connection[Any], relay: Relay | None = None) -> None:
        self.connection = connection
        self.relay = relay or Relay()
        self.batch_size = options().batch_size
        self._turn = 0

    def drain(self, is_stopping: Callable[[], bool] = lambda: False) -> int:
        """Relay and fold until nothing is left, or until told to stop; return how many events were folded.

        Waits for another worker that is at work on the same: what it saw may be older than what this one was woken for.
        """
        folded, pause_seconds, started = 0, 0.001, time.monotonic()
        while not is_stopping():
            moved = self.relay.run(self.connection)
            result = self.run_round()
            folded += result.events
            if result.events or moved.messages:
                pause_seconds = 0.001
                if result.events <= SMALL_RANGE and _is_busy(folded, time.monotonic() - started):
                    time.sleep(BREATH_SECONDS)
            elif not moved.is_mine or result.is_busy:
                time.sleep(pause_seconds)
                pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)
            elif not result.is_behind:
                break
        return folded

    def run_round(self) -> RoundResult:
        """Fold the next range for one group of projections, all in one transaction.

        When that fails, it is repeated one projection at a time: a failing one is recorded and stops alone.
        """
        self._turn += 1
        try:
            return self._attempt(None)
        except StaleCheckpoint:
            return STALE
        except FoldFailed as failed:
            if len(failed.group.members) == 1:
                return self._failed(failed)
            return _sum([self._alone(member.key) for member in failed.group.members])

    def _alone(self, key: GenerationKey) -> RoundResult:
        try:
            return self._attempt(key)
        except StaleCheckpoint:
            return STALE
        except FoldFailed as failed:
            return self._failed(failed)

    def _failed(self, failed: FoldFailed) -> RoundResult:
        (member,) = failed.group.members
        logger.error(
            "%s stops at position %d: %s",
            member.key.projection,
            member.position,
            failed.error.diag.message_primary,
        )
        failures.record(
            self.connection, member.key.projection, member.key.generation, member.position, failed.error
        )
        return RoundResult(is_behind=True, failed=(member.key.projection,))

    def _attempt(self, only: GenerationKey | None) -> RoundResult:
        """Hold the subscribers, choose a group, fold it: one transaction, two round trips."""
        group: Group | None = None
        try:
            with pipelined_transaction(self.connection) as pipeline:
                members, head, is_busy = self._hold(pipeline)
                found = groups(
                    [member for member in members if only in (None, member.key)], head, self.batch_size
                )
                if not found:
                    return RoundResult(is_busy=is_busy)
                group = found[self._turn % len(found)]
                self._fold(group)
        except psycopg.Error as error:
            if group is None or self.connection.closed:
                raise
            if checkpoints.is_stale(error):
                raise StaleCheckpoint from error
            raise FoldFailed(group, error) from error
        is_behind = len(found) > 1 or group.to_position < head
        return RoundResult(group.to_position - group.from_position, is_behind, is_busy)

    def _hold(self, pipeline: psycopg.Pipeline) -> tuple[list[Member], int, bool]:
        """Lock what can be locked, then read where it stands: in this order, or a late worker would read the past."""
        psycopg.RawCursor(self.connection).execute(SETTINGS, FOR_SMALL, prepare=True)
        lock = psycopg.RawCursor(self.connection).execute(LOCK, [DELIVERY_LOCK], prepare=True)
        state = psycopg.RawCursor(self.connection).execute(STATE, prepare=True)
        pipeline.sync()
        is_mine = {(projection, generation): mine for projection, generation, mine in lock}
        rows = state.fetchall()
        members = [
            Member(GenerationKey(projection, generation, digest), position, attempts, is_put_off)
            for projection, generation, digest, position, attempts, is_put_off, _ in rows
            if is_mine.get((projection, generation))
        ]
        return members, max((row[-1] for row in rows), default=0), len(members) < len(rows)

    def _fold(self, group: Group) -> None:
        keys = [member.key for member in group.members]
        FOLDS.load(self.connection, keys)
        if group.to_position - group.from_position > SMALL_RANGE:
            psycopg.RawCursor(self.connection).execute(SETTINGS, FOR_LARGE, prepare=True)
        advance(self.connection, keys, group.from_position, group.to_position)
        for member in group.members:
            if member.attempts:
                failures.forget(self.connection, member.key.projection, member.key.generation)


def advance(
    connection: psycopg.Connection[Any], keys: Sequence[GenerationKey], from_position: int, to_position: int
) -> None:
    """Move the checkpoints of some generations over a range and fold it into their tables, in the caller's transaction.

    A rebuild feeds its generation through this too. The folds must have been loaded.
    """
    checkpoints.move(
        connection, [(key.projection, key.generation) for key in keys], from_position, to_position
    )
    for key in keys:
        for fold in FOLDS.of(key):
            psycopg.RawCursor(connection).execute(fold, [from_position, to_position], prepare=True)


def hold(connection: psycopg.Connection[Any], projection: str, generation: int) -> None:
    """Keep live delivery from one generation until the caller's transaction ends; waits for a round that is at work."""
    psycopg.RawCursor(connection).execute(HOLD, [DELIVERY_LOCK, projection, generation])


def run_round() -> RoundResult:
    """Run one round on Django's connection, outside any transaction."""
    return Delivery(django_connection()).run_round()


def drain() -> int:
    """Relay and fold until nothing is left, on Django's connection, outside any transaction; return events folded."""
    return Delivery(django_connection()).drain()


def _is_busy(folded: int, seconds: float) -> bool:
    return folded > max(BREATHLESS_EVENTS, BUSY_EVENTS_A_SECOND * seconds)


def _sum(results: Sequence[RoundResult]) -> RoundResult:
    return RoundResult(
        events=max(result.events for result in results),
        is_behind=any(result.is_behind for result in results),
        is_busy=any(result.is_busy for result in results),
        failed=tuple(name for result in results for name in result.failed),
    )
