"""Serve one lane: hand over the next events, move the checkpoint after them, and deal with what was not taken.

A failure of one event makes it a dead letter, behind which its aggregate waits while all others go on. A failure of
the whole opens the subscriber's breaker. What looks like the latter may be the former: then an event of another
aggregate is tried at once, and the first is the culprit when that one is taken.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import psycopg

from .. import checkpoints, dead_letters
from ..connection import pipelined_transaction
from ..dead_letters import failure_of
from ..exceptions import ProcessEnded, StaleCheckpoint, SubscriberGone, SubscriberUnavailable, TooManyParked
from . import breaker, lanes, marks
from .contract import Event, Target
from .events import Chunk, next_chunk, refuse_unknown
from .lanes import Lane, Standing
from .letters import Letters, schedule

logger = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 0.5  # a slow subscriber is asked to repeat no more than this after a crash
DEATHS = 2  # of a process that handed over one event alone; the first may have been anything

COMMIT = "SELECT set_config('synchronous_commit', $1, true)"


class Turns:
    """The work on one lane, whose lock the connection holds; `owner` names the process in the marks of attempts."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        lane: Lane,
        target: Target,
        owner: UUID,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.connection = connection
        self.lane = lane
        self.target = target
        self.owner = owner
        self.is_stopping = is_stopping
        self.taken = 0

    def turn(self) -> bool:
        """Do what is next and commit what came of it; False when nothing is left to do now."""
        try:
            return self._turn()
        except StaleCheckpoint:
            return True  # set back, or moved by somebody who lost the lock: look anew

    def _turn(self) -> bool:
        standing = lanes.standing(self.connection, self.lane)
        if standing is None or not standing.has_work:
            return False
        if standing.is_new:
            lanes.begin(self.connection, self.lane)
        is_trial = standing.failures > 0
        if is_trial and not self._claim_trial():
            return False
        if standing.has_due_letters and not self._retry(standing, is_trial=is_trial):
            return True
        if standing.checkpoint < standing.head:
            self._go_on(standing, is_trial=is_trial)
        return True

    def _claim_trial(self) -> bool:
        seconds = 2 * self.target.longest_call_seconds + CHECKPOINT_SECONDS
        return breaker.claim_trial(self.connection, self.lane.subscriber, seconds)

    def _retry(self, standing: Standing, *, is_trial: bool) -> bool:
        """Try one dead letter that is due; False when the subscriber as a whole turned out to be away."""
        try:
            has_called = Letters(self.connection, self.lane, self.target).retry(standing.checkpoint)
        except (SubscriberUnavailable, SubscriberGone) as error:
            self._give_up(standing.checkpoint, error, is_trial=is_trial)
            return False
        if is_trial and standing.checkpoint >= standing.head:
            end_trial = breaker.close if has_called else breaker.release_trial
            end_trial(self.connection, self.lane.subscriber)
        return True

    def _go_on(self, standing: Standing, *, is_trial: bool) -> None:
        chunk = next_chunk(self.connection, self.lane, self.target, standing.checkpoint, standing.head)
        if not chunk.events:
            self._advance(standing.checkpoint, chunk.to_position)
            if is_trial:
                breaker.release_trial(self.connection, self.lane.subscriber)
            return
        left = marks.left_behind(self.connection, self.lane, standing.checkpoint)
        if left.count(chunk.events[0].position) >= DEATHS:
            self._park(standing.checkpoint, chunk.events[0], ProcessEnded(), is_trial=is_trial)
            return
        events = chunk.events[:1] if left else chunk.events
        self._hand_over(standing.checkpoint, Chunk(events, chunk.to_position), chunk, is_trial=is_trial)

    def _hand_over(self, position: int, part: Chunk, chunk: Chunk, *, is_trial: bool) -> None:
        """Mark the attempt, publish, and only then move the checkpoint: at least once, never less."""
        marks.mark(self.connection, self.lane, position, part.events[-1].position, self.owner)
        taken, error = self._publish(part.events)
        self.taken += taken
        if taken:
            is_all = taken == len(chunk.events)
            to_position = chunk.to_position if is_all else part.events[taken - 1].position
            self._advance(position, to_position, closes=is_trial)
            position, is_trial = to_position, False
        if error is not None:
            self._fail(position, part.events[taken:], error, is_trial=is_trial)

    def _publish(self, events: Sequence[Event]) -> tuple[int, Exception | None]:
        """Hand over for a while; return how many events were taken, and why the next was not."""
        taken, size, ends_at = 0, self.target.largest_batch, time.monotonic() + CHECKPOINT_SECONDS
        while taken < len(events) and (not taken or (time.monotonic() < ends_at and not self.is_stopping())):
            batch = events[taken : taken + size]
            try:
                for event in batch:
                    refuse_unknown(event)
                self.target.publish(batch)
            except Exception as error:  # noqa: BLE001 – whatever a publisher raises, its event is not lost
                if len(batch) == 1:
                    return taken, error
                size = 1
            else:
                taken += len(batch)
        return taken, None

    def _advance(self, from_position: int, to_position: int, *, closes: bool = False) -> None:
        """Move the checkpoint by compare-and-set, with all that belongs to what was taken."""
        try:
            with pipelined_transaction(self.connection):
                psycopg.RawCursor(self.connection).execute(COMMIT, ["on"])
                lanes.share(self.connection, self.lane.subscriber)
                checkpoints.move(self.connection, [(self.lane.name, 1)], from_position, to_position)
                self.target.note(self.connection)
                marks.remove(self.connection, self.lane, from_position)
                if closes:
                    breaker.close(self.connection, self.lane.subscriber)
        except psycopg.Error as error:
            if checkpoints.is_stale(error):
                raise StaleCheckpoint(subscriber=self.lane.subscriber) from error
            raise

    def _fail(self, position: int, events: Sequence[Event], error: Exception, *, is_trial: bool) -> None:
        """Find out whom a failure concerns: the first of the events, or the whole subscriber."""
        is_of_the_whole = isinstance(error, SubscriberUnavailable | SubscriberGone)
        if isinstance(error, SubscriberUnavailable) and error.may_be_the_event:
            is_of_the_whole = not self._takes_another(events)
        if is_of_the_whole:
            self._give_up(position, error, is_trial=is_trial)
        else:
            self._park(position, events[0], error, is_trial=is_trial)

    def _takes_another(self, events: Sequence[Event]) -> bool:
        """Try the next event of another aggregate; it comes again in its turn, as any event may."""
        others = [event for event in events if event.aggregate != events[0].aggregate]
        return bool(others) and self._publish(others[:1])[0] == 1

    def _park(self, position: int, event: Event, error: Exception, *, is_trial: bool) -> None:
        failure = failure_of(error)
        logger.warning("%s does not take position %d: %s", self.lane.name, event.position, error)
        try:
            with self.connection.transaction():
                dead_letters.park(self.connection, self.lane.subscriber, 1, event.ref, failure)
                schedule(self.connection, self.lane, event.position, self.target.retry_seconds(1))
                self.target.note(self.connection)
                marks.remove(self.connection, self.lane, position)
                if is_trial:
                    breaker.close(self.connection, self.lane.subscriber)
        except TooManyParked as too_many:
            self._give_up(position, too_many, is_trial=is_trial)

    def _give_up(self, position: int, error: Exception, *, is_trial: bool) -> None:
        """Open the breaker, or disable a subscriber that is gone."""
        logger.warning("%s is put off at position %d: %s", self.lane.subscriber, position, error)
        pause_seconds = error.retry_after_seconds if isinstance(error, SubscriberUnavailable) else None
        with self.connection.transaction():
            self.target.note(self.connection)
            marks.remove(self.connection, self.lane, position)
            if isinstance(error, SubscriberGone):
                self.target.disable(self.connection, str(error))
            else:
                breaker.trip(
                    self.connection,
                    self.lane.subscriber,
                    position,
                    failure_of(error),
                    is_trial=is_trial,
                    pause_seconds=pause_seconds,
                )
