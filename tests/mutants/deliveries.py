"""Ways to deliver that look right and are not."""

from collections.abc import Iterable, Sequence
from typing import Any
from unittest.mock import patch

import psycopg

from outbox import checkpoints, folding
from outbox.dead_letters import Failure
from outbox.delivery import Delivery, RoundResult
from outbox.folds import GenerationKey
from outbox.rounds import Group

# No compare-and-set: whoever comes writes a checkpoint.
HEEDLESS_MOVE = """
INSERT INTO checkpoints (subscriber, generation, from_position, to_position)
SELECT subscriber, generation, $3::bigint, $4::bigint
  FROM unnest($1::text[], $2::int[]) AS member (subscriber, generation)
ON CONFLICT (subscriber, generation, from_position) DO UPDATE SET to_position = excluded.to_position
"""


class AllOrNothing(Delivery):
    """Does not take out of the common rounds who fails."""

    def _hand_over(self, group: Group, keys: Iterable[GenerationKey], failure: Failure) -> RoundResult:
        return RoundResult()


class Skipper(Delivery):
    """Steps over what cannot be folded."""

    def _hand_over(self, group: Group, keys: Iterable[GenerationKey], failure: Failure) -> RoundResult:
        statement = "INSERT INTO checkpoints VALUES ($1, $2, $3, $4)"
        for key in keys:
            where: list[Any] = [key.projection, key.generation, group.from_position, group.to_position]
            psycopg.RawCursor(self.connection).execute(statement, where)
        return RoundResult(is_behind=True)


def fold_then_move(
    connection: psycopg.Connection[Any], keys: Sequence[GenerationKey], from_position: int, to_position: int
) -> None:
    """Commit the effect in one transaction and move the checkpoint in another."""
    with patch.object(checkpoints, "move"):
        folding.advance(connection, keys, from_position, to_position)
    connection.commit()
    members = [(key.projection, key.generation) for key in keys]
    checkpoints.move(connection, members, from_position, to_position)
