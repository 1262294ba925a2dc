"""Ways to deliver that look right and are not."""

from typing import Any

import psycopg

from outbox.delivery import Delivery, FoldFailed, RoundResult
from outbox.folds import GenerationKey

# No compare-and-set: whoever comes writes a checkpoint.
HEEDLESS_MOVE = """
INSERT INTO checkpoints (subscriber, generation, from_position, to_position)
SELECT subscriber, generation, $3::bigint, $4::bigint
  FROM unnest($1::text[], $2::int[]) AS member (subscriber, generation)
ON CONFLICT (subscriber, generation, from_position) DO UPDATE SET to_position = excluded.to_position
"""


class AllOrNothing(Delivery):
    """Does not repeat a failed round one projection at a time."""

    def run_round(self) -> RoundResult:
        try:
            return self._attempt(None)
        except FoldFailed:
            return RoundResult()


class Skipper(Delivery):
    """Steps over what cannot be folded."""

    def _attempt(self, only: GenerationKey | None) -> RoundResult:
        try:
            return super()._attempt(only)
        except FoldFailed as failed:
            if only is None:
                raise
            self._step_over(failed)
            return RoundResult()

    def _step_over(self, failed: FoldFailed) -> None:
        statement = "INSERT INTO checkpoints VALUES ($1, $2, $3, $4)"
        for member in failed.group.members:
            key = member.key
            range_ = [failed.group.from_position, failed.group.to_position]
            parameters: list[Any] = [key.projection, key.generation, *range_]
            psycopg.RawCursor(self.connection).execute(statement, parameters)
