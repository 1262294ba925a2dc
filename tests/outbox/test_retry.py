"""Operators list, retry and skip dead letters; each is counted before it is touched, and recorded."""

import json
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from outbox import retry
from outbox.retry import Selection, open_letters
from tests.mutants import careful as mutants
from tests.outbox.conftest import Subscribe
from tests.outbox.guarantees import Broken, expect
from tests.outbox.test_careful import MEND, MakeCareful, deliver
from tests.outbox.world import FRAGILE, World, seen


@pytest.fixture
def parked(world: World, subscribe: Subscribe, settings: Settings) -> World:
    """Give a world in which two aggregates are parked for a person: 7 with two events behind, 8 with none."""
    settings.OUTBOX = settings.OUTBOX | {"MAX_ATTEMPTS": 1}
    subscribe(seen("fragile", FRAGILE))
    world.commit((7, 1), (8, 1))
    world.commit((7, 2), (8, 2), event_type="Poison")
    world.commit((7, 3), (7, 4))
    deliver(world)
    return world


def run(*arguments: str) -> tuple[int, str]:
    """Run a command of manage.py and return its exit code and what it wrote."""
    out, code = StringIO(), 0
    try:
        call_command(*arguments, stdout=out)
    except SystemExit as end:
        code = int(end.code or 0)
    return code, out.getvalue()


def actions(world: World) -> list[tuple[Any, ...]]:
    return world.ask("SELECT actor, action, subject, reason FROM operator_actions ORDER BY action_id")


def test_letters_are_listed_with_what_waits_behind_them(parked: World) -> None:
    code, text = run("list_dead_letters")
    rows = [line.split() for line in text.splitlines()[1:]]
    assert code == 0
    assert [(row[1], row[2], row[3], row[5], row[8]) for row in rows] == [
        ("parked", "fragile", "3", "parcel:7", "2"),
        ("parked", "fragile", "4", "parcel:8", "0"),
    ]
    assert "DivisionByZero in read_fragile_g1: division by zero" in text


def test_letters_are_grouped_by_their_cause(parked: World) -> None:
    (group,) = json.loads(run("list_dead_letters", "--group", "--json")[1])
    assert (group["subscriber"], group["event_type"], len(group["letters"])) == ("fragile", "Poison", 2)
    assert "2       2 fragile" in run("list_dead_letters", "--group")[1]


@pytest.mark.parametrize(
    ("selection", "aggregates"),
    [
        (Selection(), [7, 8]),
        (Selection(subscriber="fragile"), [7, 8]),
        (Selection(subscriber="seen"), []),
        (Selection(event_type="Poison"), [7, 8]),
        (Selection(event_type="ParcelMoved"), []),
        (Selection(fingerprint="DivisionByZero in read_fragile_g1"), [7, 8]),
        (Selection(aggregate_type="parcel", aggregate_id=8), [8]),
    ],
)
def test_a_selection_takes_what_fits_all_that_it_says(
    parked: World, selection: Selection, aggregates: list[int]
) -> None:
    assert [letter.aggregate_id for letter in open_letters(selection)] == aggregates


def test_a_dry_run_touches_nothing(parked: World) -> None:
    before = parked.ask("SELECT * FROM dead_letters")
    retried = run("retry_dead_letters", "--all", "--dry-run")
    skipped = run("skip_dead_letters", "--all", "--reason", "none", "--dry-run")
    assert retried == (0, "Would retry 2 dead letters of fragile, with 2 events waiting behind them.\n")
    assert skipped == (0, "Would skip 2 dead letters of fragile, with 2 events waiting behind them.\n")
    assert parked.ask("SELECT * FROM dead_letters") == before
    assert actions(parked) == []


def test_a_retry_after_the_mending_delivers_everything_and_is_recorded(parked: World) -> None:
    parked.watcher.execute(MEND)
    code, text = run("retry_dead_letters", "--all", "--actor", "shell:ada", "--reason", "mended")
    assert (code, text.splitlines()[-1]) == (0, "2 delivered")
    assert parked.versions("fragile") == parked.versions() == {7: [1, 2, 3, 4], 8: [1, 2]}
    assert actions(parked) == [("shell:ada", "retry_dead_letters", "fragile", "mended")]


def test_a_retry_that_fails_again_says_so(parked: World) -> None:
    code, text = run("retry_dead_letters", "--aggregate", "parcel:8")
    assert (code, text.splitlines()[1]) == (1, "1 parked")
    assert parked.versions("fragile") == {7: [1], 8: [1]}


def test_only_what_was_selected_is_retried(parked: World) -> None:
    parked.watcher.execute(MEND)
    run("retry_dead_letters", "--aggregate", "parcel:8")
    assert parked.versions("fragile") == {7: [1], 8: [1, 2]}


def skips_and_goes_on(world: World, make: MakeCareful) -> None:
    """Check that a skipped event is left out, and that what waits behind it arrives, in order."""
    retry.skip(open_letters(Selection()), "shell:ada", "sent twice by mistake")
    deliver(world, make)
    world.commit((7, 5), (8, 3))
    deliver(world, make)
    expect(world.versions("fragile"), {7: [1, 3, 4, 5], 8: [1, 3]})
    letters = world.ask("SELECT position, state, skip_reason FROM dead_letters WHERE position < 5 ORDER BY 1")
    expect(letters, [(position, "skipped", "sent twice by mistake") for position in (3, 4)])


def test_a_skipped_event_is_left_out_and_what_follows_is_not(parked: World) -> None:
    skips_and_goes_on(parked, mutants.CarefulDelivery)
    assert actions(parked) == [("shell:ada", "skip_dead_letters", "fragile", "sent twice by mistake")]


def test_who_forgets_what_waits_behind_a_skipped_event_is_caught(parked: World) -> None:
    with pytest.raises(Broken):
        skips_and_goes_on(parked, mutants.SkipsTheRest)


def test_a_skip_without_a_reason_is_refused(parked: World) -> None:
    with pytest.raises(CommandError, match="reason"):
        call_command("skip_dead_letters", "--all", "--reason", " ")


@pytest.mark.parametrize("command", [["retry_dead_letters"], ["skip_dead_letters", "--reason", "x"]])
def test_who_means_all_has_to_say_so(parked: World, command: list[str]) -> None:
    with pytest.raises(CommandError, match="--all"):
        call_command(*command)


def test_an_id_that_is_no_open_letter_is_refused_before_anything_is_touched(parked: World) -> None:
    known = open_letters(Selection())[0].dead_letter_id
    with pytest.raises(CommandError, match="no open dead letter 999"):
        call_command("retry_dead_letters", str(known), "999")
    assert actions(parked) == []


@pytest.mark.parametrize("aggregate", ["order", "order:x", ":7"])
def test_an_aggregate_is_written_with_type_and_id(parked: World, aggregate: str) -> None:
    with pytest.raises(CommandError, match="order:17"):
        call_command("list_dead_letters", "--aggregate", aggregate)


def test_without_letters_the_list_says_so(world: World) -> None:
    assert run("list_dead_letters") == (0, "There are no open dead letters.\n")
    assert run("list_dead_letters", "--json") == (0, "[]\n")


def chosen(world: World, **fields: str) -> dict[str, Any]:
    ids = [str(letter.dead_letter_id) for letter in open_letters(Selection())]
    return {"_selected_action": ids, **fields}


def operator(permission: str | None) -> Client:
    """Give a client of somebody of the staff with the right to look, and perhaps one more."""
    user = get_user_model().objects.create_user("ada", password="secret", is_staff=True)
    codenames = ["view_deadletter", *([permission] if permission else [])]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def test_the_admin_says_what_a_retry_touches_then_asks_for_it(parked: World) -> None:
    client, url = operator("change_deadletter"), reverse("admin:outbox_deadletter_changelist")
    asked = client.post(url, chosen(parked, action="retry")).content.decode()
    parked.watcher.execute(MEND)
    client.post(url, chosen(parked, action="retry", run="1", reason="mended"))
    deliver(parked)
    assert "2 dead letters of fragile, with 2 events waiting behind them" in asked
    assert parked.versions("fragile") == parked.versions()
    (actor, action, subject, reason) = actions(parked)[0]
    assert (actor.split(":")[0], action, subject, reason) == (
        "user",
        "retry_dead_letters",
        "fragile",
        "mended",
    )


def test_the_admin_skips_with_a_reason_only(parked: World) -> None:
    client, url = operator("change_deadletter"), reverse("admin:outbox_deadletter_changelist")
    asked_again = client.post(url, chosen(parked, action="skip", run="1", reason=""))
    nothing_done = parked.ask("SELECT FROM dead_letters WHERE skip_reason IS NOT NULL") == []
    client.post(url, chosen(parked, action="skip", run="1", reason="sent twice by mistake"))
    deliver(parked)
    assert (asked_again.status_code, nothing_done) == (200, True)
    assert parked.versions("fragile") == {7: [1, 3, 4], 8: [1]}


def test_who_may_only_look_is_offered_no_action(parked: World) -> None:
    client, url = operator(None), reverse("admin:outbox_deadletter_changelist")
    client.post(url, chosen(parked, action="skip", run="1", reason="because"))
    deliver(parked)
    assert [letter.state for letter in open_letters(Selection())] == ["parked", "parked"]
