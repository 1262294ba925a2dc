"""Feed by itself what failed among others: find the event that breaks it, park its aggregate, go on without it.

A generation comes here when a round failed because of it, or died with it. Its range is halved until it folds, or until
one event is left that does not. Then it returns to the common rounds, and the dead letter is tried again from here.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg

from . import attempts, changes, checkpoints, dead_letters, failures
from .attempts import Attempts
from .connection import connect, pipelined_transaction
from .dead_letters import DeadLetter, EventRef, Failure, failure_of
from .exceptions import StaleCheckpoint, TooManyParked
from .failures import Patient
from .folding import DELIVERY_LOCK, FOLDS, Step, advance, fold_event, hold, say_where, settle_down
from .folds import GenerationKey
from .options import options
from .statements import statement

TRY_LOCK = "SELECT pg_try_advisory_xact_lock($1::int, hashtext($2::text || ' ' || $3::int))"
STATE = statement("careful_state")

# One attempt that never ended may be a worker that was killed for another reason.
DEADLY_ATTEMPTS = 2
NEVER_ENDED = Failure(
    "AttemptNeverEnded", "workers died, or lost their connection, at it", "AttemptNeverEnded"
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a generation stands, and what became of others' attempts from there.

    `dead_to` ends the smallest range that another owner never brought to an end; `deaths` counts those that took the
    next event alone.
    """

    key: GenerationKey
    position: int
    head: int
    has_parked: bool
    dead_to: int | None
    deaths: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt: over which range, what went wrong, whether the generation may return to the common rounds."""

    from_position: int
    to_position: int
    failure: Failure | None = None
    is_transient: bool = False
    is_over: bool = False


class CarefulDelivery:
    """Feeds one generation at a time, on a connection that must be in autocommit."""

    def __init__(self, connection: psycopg.Connection[Any], attempts: Attempts | None = None) -> None:
        self.connection = connection
        self.batch_size = options().batch_size
        self._attempts = attempts
        self._owner: UUID = attempts.owner if attempts else uuid4()

    def run_due(self, is_stopping: Callable[[], bool] = lambda: False) -> int:
        """Feed the generations that failed, and retry the dead letters, whose time has come; count what was moved."""
        moved = 0
        for patient in failures.due(self.connection):
            if not is_stopping():
                moved += self.bring_past(patient, is_stopping)
        for letter in dead_letters.due_to_projections(self.connection):
            if not is_stopping():
                moved += self._retry(letter)
        return moved

    def bring_past(self, patient: Patient, is_stopping: Callable[[], bool] = lambda: False) -> bool:
        """Bring a generation past the range at which it failed; say whether it moved at all."""
        failures.begin(self.connection, patient.projection, patient.generation)
        bad_to: int | None = None  # ends a range that is known to fail
        has_moved = False
        while not is_stopping():
            attempt = self._attempt(patient, bad_to)
            if attempt is None:
                break
            if attempt.failure is None:
                has_moved = True
                if attempt.is_over:
                    break
            elif attempt.is_transient:
                self._put_off(patient, attempt.from_position, attempt.failure)
                break
            elif attempt.to_position - attempt.from_position > 1:
                bad_to = attempt.to_position
            elif self._park(patient, attempt, attempt.failure):
                has_moved = True
                bad_to = None
            else:
                break
        return has_moved

    def _attempt(self, patient: Patient, bad_to: int | None) -> Attempt | None:
        """Fold the next range, all in one transaction; None when another worker is at it, or nothing is left."""
        attempt: Attempt | None = None
        steps: list[Step] = []
        try:
            with pipelined_transaction(self.connection) as pipeline:
                standing = self._hold(pipeline, patient)
                if standing is None:
                    return None
                attempt = _next_attempt(standing, bad_to, self.batch_size, patient.to_position)
                if attempt.is_over:
                    failures.forget(self.connection, patient.projection, patient.generation)
                if attempt.failure is None and attempt.to_position > attempt.from_position:
                    self._fold(standing, attempt, steps)
        except StaleCheckpoint:
            return None
        except psycopg.Error as error:
            if attempt is None or self.connection.closed:
                raise
            if checkpoints.is_stale(error):
                return None
            if self._attempts:
                self._attempts.end(attempt.from_position)
            say_where(error, steps)
            is_transient = failures.is_transient(error)
            return Attempt(attempt.from_position, attempt.to_position, failure_of(error), is_transient)
        return attempt

    def _hold(self, pipeline: psycopg.Pipeline, patient: Patient) -> Standing | None:
        """Lock the generation, then read where it stands; in this order, or one would read the past."""
        who = [patient.projection, patient.generation]
        settle_down(self.connection, options().statement_timeout_seconds)
        lock = psycopg.RawCursor(self.connection).execute(TRY_LOCK, [DELIVERY_LOCK, *who], prepare=True)
        state = psycopg.RawCursor(self.connection).execute(STATE, [*who, self._owner], prepare=True)
        pipeline.sync()
        (is_mine,), row = lock.fetchone() or (False,), state.fetchone()
        if not is_mine or row is None:
            return None
        digest, *standing = row
        return Standing(GenerationKey(patient.projection, patient.generation, digest), *standing)

    def _fold(self, standing: Standing, attempt: Attempt, steps: list[Step]) -> None:
        key, events = standing.key, attempt.to_position - attempt.from_position
        FOLDS.load(self.connection, [key])
        if self._attempts:
            self._attempts.note([key], attempt.from_position, attempt.to_position)
        # What takes too long is halved soon; the last event is given all the time there is.
        settle_down(
            self.connection,
            options().round_timeout_seconds if events > 1 else options().statement_timeout_seconds,
            events,
        )
        parked = [key] if standing.has_parked else []
        advance(self.connection, [key], attempt.from_position, attempt.to_position, parked, steps)

    def _put_off(self, patient: Patient, position: int, failure: Failure) -> None:
        logger.error("%s stops at position %d: %s", patient.projection, position, failure.error_message)
        failures.put_off(self.connection, patient.projection, patient.generation, position, failure)

    def _park(self, patient: Patient, attempt: Attempt, failure: Failure) -> bool:
        """Open a dead letter for the one event of an attempt; say whether the generation can go on."""
        who = (patient.projection, patient.generation)
        try:
            with self.connection.transaction():
                hold(self.connection, *who)
                if self._position(patient) != attempt.from_position:
                    return False  # another worker was there meanwhile
                event = dead_letters.event_at(self.connection, attempt.to_position)
                dead_letters.park(self.connection, *who, event, failure)
                attempts.explain(self.connection, *who, attempt.from_position)
        except TooManyParked as refusal:
            self._put_off(patient, attempt.from_position, failure_of(refusal))
            return False
        logger.error(
            "%s parks %s %d behind %s at position %d: %s",
            patient.projection,
            event.aggregate_type,
            event.aggregate_id,
            event.event_type,
            event.position,
            failure.error_message,
        )
        return True

    def _position(self, patient: Patient) -> int | None:
        state = psycopg.RawCursor(self.connection).execute(
            STATE, [patient.projection, patient.generation, self._owner]
        )
        row = state.fetchone()
        return row[1] if row else None

    def _retry(self, letter: DeadLetter) -> bool:
        """Deliver a dead letter's event and what waits behind it; say whether the letter is settled."""
        if not letter.skip_reason and not dead_letters.begin_attempt(self.connection, letter):
            return False  # another worker tries
        event: EventRef | None = letter.event
        try:
            if letter.skip_reason:
                return self._step_over(letter)
            while event is not None:
                event = self._deliver(letter, event)
        except StaleCheckpoint:
            return False
        except psycopg.Error as error:
            if self.connection.closed or event is None:
                raise
            state = dead_letters.fail_again(self.connection, letter, event, failure_of(error))
            logger.error(  # noqa: TRY400 – the trace is psycopg's
                "%s fails again at position %d: now %s", letter.subscriber, event.position, state
            )
            return False
        logger.info("%s has taken in the dead letter %d", letter.subscriber, letter.dead_letter_id)
        return True

    def _step_over(self, letter: DeadLetter) -> bool:
        """Leave out a dead letter's event, as an operator wishes; what waits behind it is tried next."""
        with self.connection.transaction():
            _, position = self._held(letter, letter.event)
            following = dead_letters.following(self.connection, letter.event, up_to=position)
            dead_letters.step_over(self.connection, letter, following)
        logger.warning(
            "%s skips position %d: %s", letter.subscriber, letter.event.position, letter.skip_reason
        )
        return True

    def _deliver(self, letter: DeadLetter, event: EventRef) -> EventRef | None:
        """Fold one event of a parked aggregate and move the letter on, or settle it; return what is next."""
        with self.connection.transaction():
            settle_down(self.connection, options().statement_timeout_seconds)
            key, position = self._held(letter, event)
            FOLDS.load(self.connection, [key])
            fold_event(self.connection, key, event.position, row_version=position)
            following = dead_letters.following(self.connection, event, up_to=position)
            if following:
                dead_letters.move_on(self.connection, letter, following)
            else:
                dead_letters.settle(self.connection, letter, "delivered")
        return following

    def _held(self, letter: DeadLetter, event: EventRef) -> tuple[GenerationKey, int]:
        """Hold a letter's generation and say where it stands, which is past the event.

        Raises StaleCheckpoint when the generation is gone, or will come to the event yet and leave it out then; and
        when the letter has been moved past the event: who begins an attempt and sleeps may come second.
        """
        who = (letter.subscriber, letter.generation)
        hold(self.connection, *who)
        row = psycopg.RawCursor(self.connection).execute(STATE, [*who, self._owner]).fetchone()
        if (
            row is None
            or row[1] < event.position
            or not dead_letters.stands_at(self.connection, letter, event)
        ):
            raise StaleCheckpoint(projection=letter.subscriber, generation=letter.generation)
        return GenerationKey(*who, row[0]), row[1]


class CarefulEngine:
    """Careful delivery on connections of its own, opened when needed and again after they were lost."""

    def __init__(self, application_name: str) -> None:
        self._application_name = application_name
        self._careful: CarefulDelivery | None = None
        self._attempts = Attempts()

    def drain(self, is_stopping: Callable[[], bool] = lambda: False) -> int:
        """Do what is due; raises psycopg.OperationalError when the database is away, or an event cuts it off."""
        if self._careful is None:
            self._attempts = Attempts()
            self._careful = CarefulDelivery(connect(self._application_name), self._attempts)
        try:
            moved = self._careful.run_due(is_stopping)
            if moved:  # who returns to the common rounds may be behind, and engines at rest do not know
                self._careful.connection.execute(changes.MOVE)
        except psycopg.OperationalError:
            self.close()
            raise
        return moved

    def close(self) -> None:
        """Close the connections; the next drain opens others, and is another owner of its attempts."""
        if self._careful is not None:
            self._careful.connection.close()
            self._attempts.close()
            self._careful = None


def _next_attempt(standing: Standing, bad_to: int | None, batch_size: int, goal: int) -> Attempt:
    """Choose the next range: half of what is known to fail, or a batch."""
    position = standing.position
    bad = min((end for end in (bad_to, standing.dead_to) if end and end > position), default=None)
    if bad is None:
        to_position = min(position + batch_size, standing.head)
        return Attempt(position, to_position, is_over=to_position >= goal or to_position == standing.head)
    to_position = position + max((bad - position) // 2, 1)
    if to_position == position + 1 and standing.deaths >= DEADLY_ATTEMPTS:
        return Attempt(position, to_position, NEVER_ENDED)
    return Attempt(position, to_position, is_over=to_position >= goal)
