"""Ways to treat a poison event that look right and are not."""

from typing import Any

import psycopg

from outbox import dead_letters
from outbox.careful import STATE, Attempt, CarefulDelivery
from outbox.dead_letters import DeadLetter, EventRef, Failure
from outbox.failures import Patient
from outbox.folding import hold
from outbox.folds import GenerationKey


class Dropper(CarefulDelivery):
    """Keeps the dead letter and lets the aggregate's later events pass by it."""

    def _park(self, patient: Patient, attempt: Attempt, failure: Failure) -> bool:
        parked = super()._park(patient, attempt, failure)
        statement = "UPDATE dead_letters SET state = 'skipped', next_attempt_at = NULL, settled_at = now()"
        self.connection.execute(statement)
        step = "INSERT INTO checkpoints VALUES ($1, $2, $3, $4)"
        where: list[Any] = [
            patient.projection,
            patient.generation,
            attempt.from_position,
            attempt.to_position,
        ]
        psycopg.RawCursor(self.connection).execute(step, where)
        return parked


class StandsStill(CarefulDelivery):
    """Waits at the poison event until somebody has mended it."""

    def _park(self, patient: Patient, attempt: Attempt, failure: Failure) -> bool:
        self._put_off(patient, attempt.from_position, failure)
        return False


class ForgetsTheFollowing(CarefulDelivery):
    """Delivers the dead letter's event and not what waits behind it."""

    def _deliver(self, letter: DeadLetter, event: EventRef) -> EventRef | None:
        super()._deliver(letter, event)
        dead_letters.settle(self.connection, letter, "delivered")
        return None


class EarlyRetry(CarefulDelivery):
    """Settles the letter before its event is folded, so that a round in between takes in what follows first."""

    def _deliver(self, letter: DeadLetter, event: EventRef) -> EventRef | None:
        dead_letters.settle(self.connection, letter, "delivered")
        return None


class SkipsTheRest(CarefulDelivery):
    """Takes a skipped letter for a settled one."""

    def _step_over(self, letter: DeadLetter) -> bool:
        dead_letters.step_over(self.connection, letter, None)
        return True


class Sleepwalker(CarefulDelivery):
    """Delivers what it once read a letter to stand for, whoever was there meanwhile."""

    def _held(self, letter: DeadLetter, event: EventRef) -> tuple[GenerationKey, int]:
        who = (letter.subscriber, letter.generation)
        hold(self.connection, *who)
        digest, position, *_ = (
            psycopg.RawCursor(self.connection).execute(STATE, [*who, self._owner]).fetchone() or ()
        )
        return GenerationKey(*who, digest), position
