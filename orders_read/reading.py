"""What all requests that read share, of the API and of pages: they wait for tokens and say how new the answer is."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.http import HttpResponseBase

from outbox.epoch import current_epoch
from outbox.tokens import HEADER, ReadToken, sign

from .answering import Positions, noted_positions
from .consistency import Look, Reason, Wanted, wait

LAG = "Read-Model-Lag"
PARKED = "Read-Model-Parked"
STALE = "Read-Model-Stale"

SHORT_SECONDS, LONG_SECONDS = 1, 10
LONGEST_REFRESH_SECONDS = 30


class ReadModelBehind(Exception):
    """The read model does not show yet what the consistency token tells of."""

    def __init__(self, seen: Look) -> None:
        assert seen.reason is not None
        assert seen.lacking is not None
        self.reason = seen.reason
        self.retry_after_seconds = SHORT_SECONDS if seen.reason in PASSING else LONG_SECONDS
        position, required = seen.lacking.position, seen.required
        self.details: dict[str, Any] = {
            "reason": str(seen.reason),
            "read_model": seen.lacking.read_model,
            "required": required,
            "current": position,
            "lag": None if required is None else max(0, required - position),
            "lag_seconds": round(seen.lacking.lag_seconds, 3),
        }
        super().__init__(EXPLANATIONS[seen.reason])


PASSING = (Reason.BEHIND, Reason.BUSY)
EXPLANATIONS = {
    Reason.BEHIND: "The read model has not reached what the consistency token tells of. Ask again.",
    Reason.BUSY: "The read model has not reached what the consistency token tells of, and too many wait already.",
    Reason.PAUSED: "The read model is paused before what the consistency token tells of.",
    Reason.PARKED: "The read model could not take in what the consistency token tells of, and somebody looks at it.",
}


class Reading:
    """One request's look at read models: wait for its tokens, ask the queries, describe the answer, in this order."""

    def __init__(self, read_models: Sequence[str], positions: Positions) -> None:
        self.read_models = read_models
        self._positions = positions
        self._tokens: Sequence[str] = ()
        self._seen: Look | None = None

    def wait_for(self, tokens: Sequence[str], seconds: float) -> None:
        """Wait at most so long until the read models show what the tokens tell of; raises InvalidToken."""
        wanted = Wanted(tokens)
        self._tokens = tokens
        self._seen = wait(wanted, self.read_models, seconds)

    def require(self) -> None:
        """Raise ReadModelBehind unless they show it."""
        if self._seen is not None and self._seen.reason is not None:
            raise ReadModelBehind(self._seen)

    @property
    def is_stale(self) -> bool:
        """Whether the answer is older than a token demands."""
        return self._seen is not None and self._seen.reason is not None

    @property
    def is_held(self) -> bool:
        """Whether it stays so until somebody does something."""
        return self._seen is not None and self._seen.reason in (Reason.PAUSED, Reason.PARKED)

    @property
    def refresh_seconds(self) -> int | None:
        """After how long a page that is stale should look again: the longer the lag, the later."""
        if self._seen is None or not self.is_stale:
            return None
        shortest = LONG_SECONDS if self.is_held else SHORT_SECONDS
        return max(shortest, min(round(self._seen.lag_seconds / 2), LONGEST_REFRESH_SECONDS))

    def describe(self, response: HttpResponseBase) -> None:
        """Say in headers how new the answer is, if a read model was asked."""
        if self._seen is None or not self._positions.seen:
            return
        response[HEADER] = self._token(self._seen)
        response[LAG] = f"{self._seen.lag_seconds:.3f}"
        if self._seen.parked:
            response[PARKED] = str(self._seen.parked)
        if self.is_stale:
            response[STALE] = "true"

    def _token(self, seen: Look) -> str:
        """Sign what was shown; one who was shown less than their token demands keeps it."""
        if self.is_stale:
            return self._tokens[0]
        return sign(ReadToken(current_epoch(), max(*self._positions.seen, seen.required or 0)))


@contextmanager
def reading(read_models: Sequence[str]) -> Iterator[Reading]:
    """Note how far these read models had come at each answer within."""
    with noted_positions(read_models) as positions:
        yield Reading(read_models, positions)
