"""A paused subscriber gets nothing, loses nothing, and holds nobody up; who paused it and why is kept."""

import threading
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from pytest_django import Settings

from outbox import bell, delivery
from outbox.delivery import Delivery
from outbox.folding import hold
from outbox.pauses import pause, paused, resume
from tests.mutants.pauses import HEEDLESS_LOCK, HEEDLESS_STATE, pause_at_once
from tests.outbox.conftest import Subscribe
from tests.outbox.guarantees import Broken, expect
from tests.outbox.world import World, seen, wait_until

ACTIONS = "SELECT actor, action, subject, reason FROM operator_actions ORDER BY action_id"
CHANGES = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM delivery_changes"
WAITING = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
PUBLISHER = "INSERT INTO publishers (subscriber, kind) VALUES ('peer', 'webhook') RETURNING 1"


@pytest.fixture(autouse=True)
def no_registry(settings: Settings) -> None:
    """Let only the projections of the test be known."""
    settings.OUTBOX = settings.OUTBOX | {"SUBSCRIBERS": []}


@pytest.fixture
def rings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Give a list that gets the number of changes that a worker sees when the bell rings."""
    heard: list[int] = []

    def ring() -> None:
        with connection.cursor() as cursor:
            cursor.execute(CHANGES)
            heard.extend(number for (number,) in cursor.fetchall())

    monkeypatch.setattr(bell, "ring", ring)
    return heard


def command(name: str, *arguments: str) -> str:
    out = StringIO()
    call_command(name, *arguments, stdout=out)
    return out.getvalue()


def leaves_the_paused_alone(world: World) -> None:
    """Check that others are fed while one is paused, and that it gets everything once it is resumed."""
    world.commit((1, 1))
    Delivery(world.worker()).drain()
    pause(["seen"], "we look into it", "user:7")
    world.commit((1, 2), (2, 1))
    Delivery(world.worker()).drain()
    expect((world.versions("seen"), world.versions("other")), ({1: [1]}, {1: [1, 2], 2: [1]}))
    resume(["seen"], "user:7")
    Delivery(world.worker()).drain()
    expect(world.versions("seen"), {1: [1, 2], 2: [1]})


def test_a_paused_subscriber_gets_nothing_and_loses_nothing(world: World, subscribe: Subscribe) -> None:
    subscribe(seen("other"))
    leaves_the_paused_alone(world)


def test_a_delivery_that_asks_nobody_whether_it_is_paused_is_caught(
    world: World, subscribe: Subscribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(seen("other"))
    monkeypatch.setattr(delivery, "LOCK", HEEDLESS_LOCK)
    monkeypatch.setattr(delivery, "STATE", HEEDLESS_STATE)
    with pytest.raises(Broken):
        leaves_the_paused_alone(world)


def test_a_pause_is_seen_by_a_round_that_has_just_taken_its_locks(
    world: World, subscribe: Subscribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(seen("other"))
    monkeypatch.setattr(delivery, "LOCK", HEEDLESS_LOCK)  # what it sees is older than the lock
    leaves_the_paused_alone(world)


def waits_for_the_round_at_work(world: World, pause_one: Callable[[list[str], str, str], Any]) -> None:
    """Check that a pause returns only when the round that began before it is over."""
    round_at_work, is_over = world.writer(), threading.Event()
    hold(round_at_work, "seen", 1)

    def run() -> None:
        pause_one(["seen"], "we look into it", "user:7")
        is_over.set()
        connection.close()

    operator = threading.Thread(target=run)
    operator.start()
    has_waited = wait_until(lambda: is_over.is_set() or bool(world.ask(WAITING))) and not is_over.is_set()
    round_at_work.commit()
    operator.join()
    expect(has_waited, True)


def test_after_a_pause_nothing_is_at_work(world: World) -> None:
    waits_for_the_round_at_work(world, pause)


def test_a_pause_that_leaves_a_round_at_work_is_caught(world: World) -> None:
    with pytest.raises(Broken):
        waits_for_the_round_at_work(world, pause_at_once)


def test_who_paused_whom_and_why_is_kept(world: World) -> None:
    command("pause_delivery", "seen", "--reason", "the disk is full", "--actor", "user:7")
    (one,) = paused()
    assert (one.subscriber, one.reason, one.actor) == ("seen", "the disk is full", "user:7")
    command("resume_delivery", "seen", "--actor", "user:8", "--reason", "a larger disk")
    assert paused() == []
    assert world.ask(ACTIONS) == [
        ("user:7", "pause_delivery", "seen", "the disk is full"),
        ("user:8", "resume_delivery", "seen", "a larger disk"),
    ]


def test_a_second_pause_changes_nothing(world: World) -> None:
    command("pause_delivery", "seen", "--reason", "the disk is full", "--actor", "user:7")
    told = command("pause_delivery", "seen", "--reason", "something else")
    assert "seen is paused already, by user:7: the disk is full" in told
    assert len(world.ask(ACTIONS)) == 1


def test_a_second_resume_changes_nothing(world: World) -> None:
    assert "seen was not paused" in command("resume_delivery", "seen")
    assert world.ask(ACTIONS) == []


def test_all_are_projections_and_publishers(world: World, subscribe: Subscribe) -> None:
    subscribe(seen("other"))
    world.ask(PUBLISHER)
    command("pause_delivery", "--all", "--reason", "we move house")
    assert [one.subscriber for one in paused()] == ["other", "peer", "seen"]
    command("resume_delivery", "--all")
    assert paused() == []
    assert "Nobody is paused" in command("resume_delivery", "--all")


@pytest.mark.parametrize(
    ("name", "arguments"), [("pause_delivery", ["--reason", "why"]), ("resume_delivery", [])]
)
def test_an_unknown_name_is_refused_with_those_that_are_known(
    world: World, name: str, arguments: list[str]
) -> None:
    with pytest.raises(CommandError, match=r"named sean; known are: seen\."):
        command(name, "seen", "sean", *arguments)
    assert paused() == []


@pytest.mark.parametrize("arguments", [[], ["seen", "--all"]])
def test_either_names_or_all_must_be_given(world: World, arguments: list[str]) -> None:
    with pytest.raises(CommandError, match="Name subscribers, or give --all"):
        command("pause_delivery", *arguments, "--reason", "why")
    with pytest.raises(CommandError, match="Name subscribers, or give --all"):
        command("resume_delivery", *arguments)


def test_a_pause_needs_a_reason(world: World) -> None:
    with pytest.raises(CommandError, match="Give a reason"):
        command("pause_delivery", "seen", "--reason", " ")


def test_workers_are_told_after_the_commit(world: World, rings: list[int]) -> None:
    with transaction.atomic():
        pause(["seen"], "why", "user:7")
        resume(["seen"], "user:7")
        assert world.ask(CHANGES) == [(0,)]
    assert rings == [1, 2]
