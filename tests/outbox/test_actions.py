"""What operators do is recorded with who, when and why, and the record stays."""

import getpass
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import connection

from outbox.actions import record, shell_actor
from tests.outbox.world import World

RECORDED = "SELECT actor, action, subject, reason, details FROM operator_actions"


def of_django(_: World) -> Any:
    return connection


def cursor_of_django(_: World) -> Any:
    return connection.cursor()


def of_psycopg(world: World) -> Any:
    return world.watcher


def cursor(world: World) -> Any:
    return world.watcher.cursor()


def raw_cursor(world: World) -> Any:
    return psycopg.RawCursor(world.watcher)


PLACES: list[Callable[[World], Any]] = [of_django, cursor_of_django, of_psycopg, cursor, raw_cursor]


@pytest.mark.parametrize("place", PLACES)
def test_an_action_is_recorded_on_whatever_connection_carries_it_out(
    bare_world: World, place: Callable[[World], Any]
) -> None:
    record(place(bare_world), "user:7", "skip", "dead letter 3", "100 % wrong", letters=[1, 2])

    assert bare_world.ask(RECORDED) == [
        ("user:7", "skip", "dead letter 3", "100 % wrong", {"letters": [1, 2]})
    ]


def test_an_action_that_is_undone_is_not_recorded(bare_world: World) -> None:
    writer = bare_world.writer()
    record(writer, "user:7", "pause", "seen")
    writer.rollback()

    assert bare_world.ask(RECORDED) == []


@pytest.mark.parametrize(
    "statement", ["UPDATE operator_actions SET actor = 'x'", "DELETE FROM operator_actions"]
)
def test_the_record_stays(bare_world: World, statement: str) -> None:
    record(bare_world.watcher, "user:7", "pause", "seen")

    with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
        bare_world.watcher.execute(statement)


def test_a_command_of_the_shell_is_done_by_who_logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "ada")
    assert shell_actor() == "shell:ada"


def test_a_user_without_a_name_can_act_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert shell_actor() == "shell:unknown"
