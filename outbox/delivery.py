"""Bring the events of the log to every projection: rounds that fold the next range and move the checkpoint with it.

Read models and checkpoint move in one transaction. Its correctness rests on the checkpoint's compare-and-set alone;
the advisory locks only spare two workers from doing the same work. Who fails is handed over to `careful`.
"""

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg

from . import checkpoints, failures
from .attempts import Attempts
from .careful import CarefulDelivery
from .connection import django_connection, pipelined_transaction
from .dead_letters import Failure, failure_of
from .exceptions import StaleCheckpoint
from .folding import DELIVERY_LOCK, FOLDS, SMALL_RANGE, Step, advance, failed_step, say_where, settle_down
from .folds import GenerationKey
from .options import options
from .relay import Relay
from .rounds import Group, Member, groups
from .statements import statement

LOCK = statement("round_lock")
STATE = statement("round_state")

LONGEST_PAUSE_SECONDS = 0.05

# At many events a second a round for every few of them would take a core from the commands: then small rounds wait a
# little, so that the next finds more to do.
BUSY_EVENTS_A_SECOND = 500
BREATHLESS_EVENTS = 50
BREATH_SECONDS = 0.01

NEVER_ENDED = Failure(
    "AttemptNeverEnded", "a worker died, or lost its connection, while it folded", "AttemptNeverEnded"
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RoundResult:
    """What a round did: events folded, whether more wait, whether another worker holds a subscriber, who failed."""

    events: int = 0
    is_behind: bool = False
    is_busy: bool = False
    failed: tuple[str, ...] = ()


STALE = RoundResult(is_behind=True, is_busy=True)


class FoldFailed(Exception):
    """A group could not be folded, because of these generations; nothing of the round was kept."""

    def __init__(self, group: Group, step: Step, error: psycopg.Error) -> None:
        self.group = group
        self.step = step
        self.error = error
        super().__init__(group, error)


class Delivery:
    """Relay and rounds on one connection, which must be in autocommit; attempts are noted in what is given for it."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        relay: Relay | None = None,
        attempts: Attempts | None = None,
    ) -> None:
        self.connection = connection
        self.relay = relay or Relay()
        self.batch_size = options().batch_size
        self._attempts = attempts
        self._owner: UUID = attempts.owner if attempts else uuid4()
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

        When that fails, the projection that failed is handed over, and the next round feeds the others.
        """
        self._turn += 1
        try:
            return self._attempt()
        except StaleCheckpoint:
            return STALE
        except FoldFailed as failed:
            return self._hand_over(failed.group, failed.step.keys, failure_of(failed.error))

    def _attempt(self) -> RoundResult:
        """Hold the subscribers, choose a group, fold it: one transaction, two round trips."""
        group: Group | None = None
        steps: list[Step] = []
        try:
            with pipelined_transaction(self.connection) as pipeline:
                members, head, is_busy = self._hold(pipeline)
                found = groups(members, head, self.batch_size)
                if not found:
                    return RoundResult(is_busy=is_busy)
                group = found[self._turn % len(found)]
                if suspects := [member for member in group.members if member.suspect_to]:
                    return self._hand_over_suspects(group, suspects)
                self._fold(group, steps)
        except psycopg.Error as error:
            step = failed_step(steps)
            if group is None:
                raise
            if self.connection.closed:
                self._blame(group, step)
                raise
            if checkpoints.is_stale(error):
                raise StaleCheckpoint from error
            if step is None:
                raise
            if self._attempts:
                self._attempts.end(group.from_position)
            say_where(error, steps)
            raise FoldFailed(group, step, error) from error
        is_behind = len(found) > 1 or group.to_position < head
        return RoundResult(group.events, is_behind, is_busy)

    def _blame(self, group: Group, step: Step | None) -> None:
        """Spare those whose folds were answered before the connection was cut, if the server can be told."""
        if self._attempts and step:
            with suppress(psycopg.OperationalError):
                self._attempts.blame(step.keys, group.from_position, group.to_position)

    def _hold(self, pipeline: psycopg.Pipeline) -> tuple[list[Member], int, bool]:
        """Lock what can be locked, then read where it stands: in this order, or a late worker would read the past."""
        settle_down(self.connection, options().round_timeout_seconds)
        lock = psycopg.RawCursor(self.connection).execute(LOCK, [DELIVERY_LOCK], prepare=True)
        state = psycopg.RawCursor(self.connection).execute(STATE, [self._owner], prepare=True)
        pipeline.sync()
        is_mine = {(projection, generation): mine for projection, generation, mine in lock}
        rows = state.fetchall()
        members = [
            Member(GenerationKey(projection, generation, digest), *standing)
            for projection, generation, digest, *standing, _ in rows
            if is_mine.get((projection, generation))
        ]
        return members, max((row[-1] for row in rows), default=0), not all(is_mine.values())

    def _fold(self, group: Group, steps: list[Step]) -> None:
        FOLDS.load(self.connection, group.keys)
        if group.events > SMALL_RANGE:
            settle_down(self.connection, options().round_timeout_seconds, group.events)
        if self._attempts:
            self._attempts.note(group.keys, group.from_position, group.to_position)
        advance(self.connection, group.keys, group.from_position, group.to_position, group.parked, steps)

    def _hand_over_suspects(self, group: Group, suspects: list[Member]) -> RoundResult:
        """Leave those to the careful who killed somebody, perhaps: within this round, which folds nothing."""
        keys = [member.key for member in suspects]
        last = max(member.suspect_to or 0 for member in suspects)
        return self._hand_over(Group(group.members, group.from_position, last), keys, NEVER_ENDED)

    def _hand_over(self, group: Group, keys: Iterable[GenerationKey], failure: Failure) -> RoundResult:
        names = tuple(key.projection for key in keys)
        logger.error(
            "%s cannot fold positions %d to %d: %s",
            ", ".join(names),
            group.from_position + 1,
            group.to_position,
            failure.error_message,
        )
        for key in keys:
            failures.hand_over(self.connection, key, group.from_position, group.to_position, failure)
        return RoundResult(is_behind=True, failed=names)


def run_round() -> RoundResult:
    """Run one round on Django's connection, outside any transaction."""
    return Delivery(django_connection()).run_round()


def drain() -> int:
    """Deliver all that can be delivered, on Django's connection, outside any transaction; return events folded."""
    together, careful = Delivery(django_connection()), CarefulDelivery(django_connection())
    folded = together.drain()
    while careful.run_due():
        folded += together.drain()
    return folded


def _is_busy(folded: int, seconds: float) -> bool:
    return folded > max(BREATHLESS_EVENTS, BUSY_EVENTS_A_SECOND * seconds)
