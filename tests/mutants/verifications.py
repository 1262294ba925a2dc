"""Ways to verify that look right and are not, and a slow one."""

from typing import Any

import psycopg

from orders_read.verify.meeting import SNAPSHOT
from orders_read.verify.shadow import Budget, Shadow


class HastyShadow(Shadow):
    """Compares without bringing both to one position first."""

    def _freeze_and_take_snapshot(self, reader: psycopg.Connection[Any]) -> int:
        reader.execute(SNAPSHOT)
        return self._position(self.verification.generation)


def one_batch_of_fifty(self: Shadow, budget: Budget) -> bool:
    """Fold fifty events, as a slice whose time is over after them."""
    live, shadow = self._keys()
    position = self._position(shadow.generation)
    self._fold(live, shadow, position, position + 50)
    return False
