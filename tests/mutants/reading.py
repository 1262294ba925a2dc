"""Readers that look right and are not: each takes one safeguard away."""

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import BoundedSemaphore
from typing import Any
from unittest.mock import ANY

import pytest

from orders_read import answering, consistency, queries, reading, standing
from orders_read.stores import postgres
from outbox import history
from outbox.tokens import ReadToken, sign

Patch = pytest.MonkeyPatch
Mutant = Callable[[Patch], None]


def _standings_as(patch: Patch, change: Callable[[list[Any]], list[Any]]) -> None:
    original = standing.look

    def look(*asked: Any) -> tuple[list[Any], Any]:
        standings, positions = original(*asked)
        return change(standings), positions

    patch.setattr(consistency, "look", look)


def the_newest_read_model_counts(patch: Patch) -> None:
    _standings_as(patch, lambda found: [max(found, key=lambda one: one.position)] * len(found))


def what_is_in_the_log_counts_as_shown(patch: Patch) -> None:
    _standings_as(patch, lambda found: [replace(one, position=2**62) for one in found])


def who_has_waited_long_enough_is_answered(patch: Patch) -> None:
    patch.setattr(consistency.Wanted, "_required", lambda self: max([self._floor, *self._found.values()]))


def a_token_of_any_history_is_believed(patch: Patch) -> None:
    patch.setattr(consistency, "current_epoch", lambda: ANY)


def a_future_token_is_accepted(patch: Patch) -> None:
    patch.setattr(history, "is_future", lambda *_: False)


def everybody_may_wait(patch: Patch) -> None:
    patch.setattr(consistency, "waiting_places", lambda: BoundedSemaphore(1_000))


def a_pause_is_waited_for(patch: Patch) -> None:
    _standings_as(patch, lambda found: [replace(one, is_paused=False) for one in found])


def what_is_parked_counts_as_shown(patch: Patch) -> None:
    _standings_as(patch, lambda found: [replace(one, lacks_message=False) for one in found])


def only_the_last_message_counts(patch: Patch) -> None:
    patch.setattr(consistency.CommandToken, "message_ids", property(lambda token: (token.message_id,)))


def only_the_log_has_a_lag(patch: Patch) -> None:
    patch.setattr(
        standing, "STANDING", standing.STANDING.replace("ORDER BY message.message_id LIMIT 1", "LIMIT 0")
    )


def the_position_of_another_read_model_is_signed(patch: Patch) -> None:
    @contextmanager
    def noted(_: Sequence[str]) -> Any:
        with answering.noted_positions(["order_details"]) as positions:
            yield positions

    patch.setattr(reading, "noted_positions", noted)


def _ask_and_look_apart(patch: Patch, *, look_first: bool) -> None:
    def ask(statement: str, parameters: Any) -> str | None:
        positions = answering._noted.get()
        before = answering._noted.set(None)
        text = None if look_first else original(statement, parameters)
        if positions is not None:
            found, _ = standing.look(["order_search"])
            positions.seen.append(found[0].position)
        text = original(statement, parameters) if look_first else text
        answering._noted.reset(before)
        return text

    original = answering.ask
    patch.setattr(queries, "ask", ask)


def the_checkpoint_is_read_after_the_answer(patch: Patch) -> None:
    _ask_and_look_apart(patch, look_first=False)


def the_checkpoint_is_read_before_the_answer(patch: Patch) -> None:
    _ask_and_look_apart(patch, look_first=True)


def an_older_answer_takes_the_reader_back(patch: Patch) -> None:
    def token(self: Any, _: Any) -> str:
        return sign(ReadToken(reading.current_epoch(), max(self._positions.seen)))

    patch.setattr(reading.Reading, "_token", token)


def an_order_is_shown_to_whoever_knows_its_number(patch: Patch) -> None:
    patch.setattr(postgres, "ORDER_DETAILS", postgres.ORDER_DETAILS.replace("NULL OR", "NULL OR true OR"))


def a_list_shows_everybodys_orders(patch: Patch) -> None:
    patch.setattr(queries, "_own", lambda _: [])
