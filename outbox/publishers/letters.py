"""Try the dead letters of a lane again: the event, then what waits behind it in its aggregate, in order."""

import logging
from dataclasses import replace
from typing import Any

import psycopg

from .. import dead_letters
from ..dead_letters import DeadLetter, failure_of
from ..exceptions import SubscriberGone, SubscriberUnavailable
from .contract import Event, Target
from .events import MOST_EVENTS, parked_events, refuse_unknown
from .lanes import Lane

logger = logging.getLogger(__name__)

# The publisher knows better than dead letters do when an event is tried again, and when no more.
SCHEDULE = """
UPDATE dead_letters
   SET state = CASE WHEN $3::float8 IS NULL THEN 'parked' ELSE 'waiting' END,
       next_attempt_at = clock_timestamp() + make_interval(secs => $3::float8)
 WHERE subscriber = $1::text AND generation = 1 AND position = $2::bigint AND state IN ('waiting', 'parked')
"""
MINE = """
SELECT letter.position
  FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS letter (aggregate_type, aggregate_id, position)
  LEFT JOIN event_log AS event USING (position)
 WHERE outbox_event_partition(letter.aggregate_type, letter.aggregate_id, event.payload,
           (SELECT partition_by FROM publishers WHERE subscriber = $6::text), $4::int) = $5::int
"""


def schedule(
    connection: psycopg.Connection[Any], lane: Lane, position: int, pause_seconds: float | None
) -> None:
    """Set when a dead letter is tried again; None leaves it to a person."""
    psycopg.RawCursor(connection).execute(SCHEDULE, [lane.subscriber, position, pause_seconds])


class Letters:
    """The dead letters of one lane, whose lock the connection holds."""

    def __init__(self, connection: psycopg.Connection[Any], lane: Lane, target: Target) -> None:
        self.connection = connection
        self.lane = lane
        self.target = target

    def retry(self, checkpoint: int) -> bool:
        """Deal with the oldest letter that is due and tell whether the subscriber was called.

        What stands beyond the checkpoint comes with the lane's other events, once the letter is settled. Raises when
        the subscriber as a whole is away.
        """
        letter = self._oldest_due()
        if letter is None:
            return False
        if letter.skip_reason:
            self._step_over(letter, checkpoint)
            return False
        with self.connection.transaction():
            has_begun = dead_letters.begin_attempt(self.connection, letter)
            if has_begun:
                pause = self.target.retry_seconds(letter.attempts + 1)
                schedule(self.connection, self.lane, letter.event.position, pause)
        if has_begun:
            self._deliver(letter, checkpoint)
        return has_begun

    def _step_over(self, letter: DeadLetter, checkpoint: int) -> None:
        """Leave out a letter's event, as an operator wishes; what waits behind it is tried next."""
        with self.connection.transaction():
            following = dead_letters.following(self.connection, letter.event, checkpoint)
            dead_letters.step_over(self.connection, letter, following)
        logger.warning("%s skips position %d: %s", self.lane.name, letter.event.position, letter.skip_reason)

    def _oldest_due(self) -> DeadLetter | None:
        due = dead_letters.due_letters(self.connection, self.lane.subscriber, 1)
        columns = [
            [letter.event.aggregate_type for letter in due],
            [letter.event.aggregate_id for letter in due],
            [letter.event.position for letter in due],
        ]
        cursor = psycopg.RawCursor(self.connection).execute(
            MINE, [*columns, self.lane.partitions, self.lane.partition, self.lane.subscriber]
        )
        mine = {position for (position,) in cursor}
        return next((letter for letter in due if letter.event.position in mine), None)

    def _deliver(self, letter: DeadLetter, checkpoint: int) -> None:
        """Publish page by page; between pages the letter stands for the last event that was taken."""
        last_taken = 0
        while page := parked_events(self.connection, self.target, letter.event, checkpoint):
            for event in page:
                if event.position == last_taken or not self._is_wanted(event):
                    continue
                if (error := self._refusal(event)) is not None:
                    self._fail_again(letter, event, error)
                    return
            last_taken = page[-1].position
            with self.connection.transaction():
                self.target.note(self.connection)
                if len(page) < MOST_EVENTS:
                    dead_letters.settle(self.connection, letter, "delivered")
                    return
                dead_letters.move_on(self.connection, letter, page[-1].ref)
                schedule(self.connection, self.lane, last_taken, self.target.retry_seconds(1))
            letter = replace(letter, event=page[-1].ref, attempts=1)
        logger.error(
            "%s: the log has no event at position %d any more", self.lane.name, letter.event.position
        )

    def _is_wanted(self, event: Event) -> bool:
        return not self.target.event_types or event.event_type in self.target.event_types

    def _refusal(self, event: Event) -> Exception | None:
        """Publish one event; return what is wrong with it, raise what is wrong with the subscriber."""
        try:
            refuse_unknown(event)
            self.target.publish([event])
        except SubscriberUnavailable as error:
            if not error.may_be_the_event:
                raise
            return error
        except SubscriberGone:
            raise
        except Exception as error:  # noqa: BLE001 – whatever a publisher raises, its event is not lost
            return error
        return None

    def _fail_again(self, letter: DeadLetter, event: Event, error: Exception) -> None:
        attempts = letter.attempts + 1 if event.position == letter.event.position else 1
        with self.connection.transaction():
            self.target.note(self.connection)
            dead_letters.fail_again(self.connection, letter, event.ref, failure_of(error))
            schedule(self.connection, self.lane, event.position, self.target.retry_seconds(attempts))
