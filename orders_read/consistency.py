"""Wait until read models show at least what a consistency token tells of."""

import time
from collections.abc import Sequence
from itertools import chain, repeat

from django.db import connection

from outbox import tokens
from outbox.epoch import current_epoch
from outbox.exceptions import InvalidToken
from outbox.history import position_of

PAUSES_SECONDS = (0.002, 0.004)
LONGEST_PAUSE_SECONDS = 0.005

# The read models are as new as the oldest of them. A checkpoint is read where the read model is: also on a replica.
REACHED = """
SELECT min(coalesce((SELECT to_position FROM checkpoints
                      WHERE subscriber = live.projection AND generation = live.generation
                      ORDER BY from_position DESC LIMIT 1), 0)), count(*)
  FROM projection_generations AS live
 WHERE state = 'live' AND projection = ANY(%s)
"""


class UnknownReadModel(LookupError):
    """There is no read model of this name."""


def wait_until_visible(token: str, read_models: Sequence[str], timeout_seconds: float) -> bool:
    """Say whether the read models have reached what the token tells of, after waiting for it at most so long.

    Must run outside a transaction. Raises InvalidToken for a token that this system did not sign, or that belongs to
    another history of its log, and UnknownReadModel.
    """
    wanted = tokens.parse(token)
    if wanted.epoch != current_epoch():
        raise InvalidToken
    deadline = time.monotonic() + timeout_seconds
    position: int | None = None
    for pause_seconds in chain(PAUSES_SECONDS, repeat(LONGEST_PAUSE_SECONDS)):
        position = position or _position(wanted)
        if position is not None and _reached(read_models) >= position:
            return True
        if time.monotonic() + pause_seconds > deadline:
            break
        time.sleep(pause_seconds)
    return False


def _position(wanted: tokens.Token) -> int | None:
    """Find the position to be reached; None while the message is not relayed."""
    if isinstance(wanted, tokens.ReadToken):
        return wanted.position
    return position_of(wanted.message_id, wanted.head)


def _reached(read_models: Sequence[str]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(REACHED, [list(read_models)])
        position, count = cursor.fetchone()
    if count < len(set(read_models)):
        raise UnknownReadModel(", ".join(read_models))
    return int(position)
