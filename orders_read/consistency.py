"""Wait until read models show at least what consistency tokens tell of; see docs/how-to/read-your-own-writes.md."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from itertools import chain, repeat
from threading import BoundedSemaphore

from django.conf import settings

from outbox import history, tokens
from outbox.epoch import current_epoch
from outbox.exceptions import ForeignToken, FutureToken
from outbox.tokens import CommandToken

from .standing import NOWHERE, Standing, look

PAUSES_SECONDS = (0.002, 0.004)
LONGEST_PAUSE_SECONDS = 0.005


class Reason(StrEnum):
    """Why read models do not show what was asked for; all but the first are known without waiting."""

    BEHIND = "behind"
    PAUSED = "paused"
    PARKED = "parked"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Look:
    """Where read models stand, and why they are not where they should be; no reason when they are.

    `required` is the position to be reached, None while a message is not relayed; `lacking` is the read model that the
    reason is about.
    """

    standings: Sequence[Standing]
    required: int | None = 0
    reason: Reason | None = None
    lacking: Standing | None = None

    @property
    def lag_seconds(self) -> float:
        """The greatest lag."""
        return max((one.lag_seconds for one in self.standings), default=0.0)

    @property
    def parked(self) -> int:
        """How many aggregates are parked, in all read models."""
        return sum(one.parked for one in self.standings)


class Wanted:
    """What tokens tell of; raises InvalidToken for one that is not signed here or is of another history of the log."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        parsed = [tokens.parse(text) for text in texts]
        if any(token.epoch != current_epoch() for token in parsed):
            raise ForeignToken
        self._commands = [token for token in parsed if isinstance(token, CommandToken)]
        self._found: dict[int, int] = {}
        self._floor = max(
            (token.position for token in parsed if not isinstance(token, CommandToken)), default=0
        )

    def look(self, read_models: Sequence[str]) -> Look:
        """Look once where the read models stand, and whether that is enough."""
        message_ids = [each for token in self._commands for each in token.message_ids]
        after = min((token.head for token in self._commands), default=NOWHERE)
        standings, positions = look(read_models, message_ids, after)
        self._found |= positions
        return self._judge(standings)

    def settle(self, seen: Look) -> Look:
        """Judge once more, now knowing what was pruned; raises FutureToken for what never happened."""
        for token in self._commands:
            if token.message_id not in self._found:
                position = history.position_of(token.message_id, token.head)
                if position is not None:
                    self._found[token.message_id] = position
        newest = max((token.message_id for token in self._commands), default=0)
        if history.is_future(newest, max([self._floor, *(token.head for token in self._commands)])):
            raise FutureToken
        return self._judge(seen.standings)

    def _judge(self, standings: Sequence[Standing]) -> Look:
        required = self._required()
        for one in standings:
            if one.lacks_message:
                return Look(standings, required, Reason.PARKED, one)
        late = [one for one in standings if required is None or one.position < required]
        if not late:
            return Look(standings, required)
        lacking = min(late, key=lambda one: (not one.is_paused, one.position))
        return Look(standings, required, Reason.PAUSED if lacking.is_paused else Reason.BEHIND, lacking)

    def _required(self) -> int | None:
        """Return the position to be reached; None while a message is not relayed."""
        positions = [self._found.get(token.message_id) for token in self._commands]
        known = [position for position in positions if position is not None]
        return None if len(known) < len(positions) else max([self._floor, *known])


def wait(wanted: Wanted, read_models: Sequence[str], timeout_seconds: float) -> Look:
    """Wait at most so long until the read models show what is wanted, and return the last look.

    Must run outside a transaction. What would be in vain is not waited for: a paused read model, a parked aggregate.
    While as many wait already as may, nobody else does. Raises InvalidToken and UnknownReadModel.
    """
    seen = wanted.look(read_models)
    if seen.reason is not None:
        seen = wanted.settle(seen)
    if seen.reason != Reason.BEHIND or timeout_seconds <= 0:
        return seen
    if not waiting_places().acquire(blocking=False):
        return replace(seen, reason=Reason.BUSY)
    try:
        for _ in _moments(timeout_seconds):
            seen = wanted.look(read_models)
            if seen.reason != Reason.BEHIND:
                break
    finally:
        waiting_places().release()
    return seen


@cache
def waiting_places() -> BoundedSemaphore:
    """Return the places of those who wait: a quarter of a process's threads, so that others are never kept out."""
    return BoundedSemaphore(max(1, settings.WEB_THREADS // 4))


def _moments(timeout_seconds: float) -> Iterator[None]:
    """Sleep and yield, until the time is over."""
    deadline = time.monotonic() + timeout_seconds
    for pause_seconds in chain(PAUSES_SECONDS, repeat(LONGEST_PAUSE_SECONDS)):
        left_seconds = deadline - time.monotonic()
        if left_seconds <= 0:
            return
        time.sleep(min(pause_seconds, left_seconds))
        yield
