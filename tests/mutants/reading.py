"""Readers that look right and are not: each takes one safeguard away."""

from collections.abc import Callable
from unittest.mock import ANY

import pytest

from orders_read import consistency, queries

Patch = pytest.MonkeyPatch
Mutant = Callable[[Patch], None]


def the_newest_read_model_counts(patch: Patch) -> None:
    patch.setattr(consistency, "REACHED", consistency.REACHED.replace("min(coalesce", "max(coalesce"))


def what_is_in_the_log_counts_as_shown(patch: Patch) -> None:
    patch.setattr(consistency, "_reached", lambda _: 2**62)


def who_has_waited_long_enough_is_answered(patch: Patch) -> None:
    original = consistency._position
    patch.setattr(consistency, "_position", lambda wanted: original(wanted) or 0)


def a_token_of_any_history_is_believed(patch: Patch) -> None:
    patch.setattr(consistency, "current_epoch", lambda: ANY)


def an_order_is_shown_to_whoever_knows_its_number(patch: Patch) -> None:
    patch.setattr(queries, "ORDER_DETAILS", queries.ORDER_DETAILS.replace("NULL OR", "NULL OR true OR"))


def a_list_shows_everybodys_orders(patch: Patch) -> None:
    patch.setattr(queries, "_own", lambda _: [])
