"""Messages enter the outbox with the fact that they tell of, or not at all."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import Error, connection, transaction

from outbox import bell
from outbox.append import append
from outbox.exceptions import OutsideTransaction
from outbox.messages import Metadata, PersonalData
from tests.outbox.world import World, message


@pytest.fixture
def rings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count the rings of the bell."""
    heard: list[str] = []
    monkeypatch.setattr(bell, "ring", lambda: heard.append("ring"))
    return heard


def test_appending_outside_a_transaction_is_refused(bare_world: World) -> None:
    with pytest.raises(OutsideTransaction):
        append([message()])
    assert bare_world.ask("SELECT FROM outbox") == []


def test_identities_rise_in_the_order_given(bare_world: World, rings: list[str]) -> None:
    with transaction.atomic():
        identities = append([message(1, version) for version in range(1, 30)])
    stored = bare_world.ask("SELECT message_id, aggregate_version FROM outbox ORDER BY message_id")
    assert stored == list(zip(identities, range(1, 30), strict=True))


def test_a_message_is_stored_whole(bare_world: World, rings: list[str]) -> None:
    sent = message(9_007_199_254_740_993, 3, metadata=Metadata(actor="user:1", correlation_id="abc"))
    with transaction.atomic():
        append([sent])
    (row,) = bare_world.ask(
        "SELECT event_id, event_type, aggregate_id, aggregate_version, payload, metadata FROM outbox"
    )
    metadata = {"actor": "user:1", "correlation_id": "abc"}
    assert row == (sent.event_id, sent.event_type, sent.aggregate_id, 3, {"to": "Leeds"}, metadata)


def test_what_is_said_of_a_person_stands_apart(bare_world: World, rings: list[str]) -> None:
    said = message(1, 1, personal=PersonalData(subject_id=5, data={"name": "Ada"}))
    of_a_guest = message(2, 1, personal=PersonalData(subject_id=None, data={"name": "Bob"}))
    with transaction.atomic():
        append([said, message(3, 1), of_a_guest])
    rows = bare_world.ask("SELECT event_id, subject_id, data FROM event_personal ORDER BY subject_id")
    assert rows == [(said.event_id, 5, {"name": "Ada"}), (of_a_guest.event_id, None, {"name": "Bob"})]


def test_a_rollback_takes_messages_and_bell_back(bare_world: World, rings: list[str]) -> None:
    with transaction.atomic():
        append([message()])
        transaction.set_rollback(True)
    assert (bare_world.ask("SELECT FROM outbox"), rings) == ([], [])


def test_the_bell_rings_once_and_after_the_commit(bare_world: World, rings: list[str]) -> None:
    with transaction.atomic():
        append([message(1, 1)])
        append([message(1, 2)])
        assert rings == []
    assert rings == ["ring"]


def test_a_savepoint_that_is_rolled_back_does_not_take_the_bell_along(
    bare_world: World, rings: list[str]
) -> None:
    with transaction.atomic():
        inner = transaction.savepoint()
        append([message(1, 1)])
        transaction.savepoint_rollback(inner)
        append([message(2, 1)])
    assert rings == ["ring"]


def test_a_bell_that_fails_does_not_fail_the_command(
    bare_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError

    monkeypatch.setattr(bell, "ring", broken)
    with transaction.atomic():
        append([message()])
    assert len(bare_world.ask("SELECT FROM outbox")) == 1


def test_a_wrong_message_raises_an_error_of_django(bare_world: World, rings: list[str]) -> None:
    with pytest.raises(Error), transaction.atomic():
        append([message(schema_version=0)])


def test_no_messages_need_no_statement(
    bare_world: World, rings: list[str], django_assert_num_queries: Callable[..., Any]
) -> None:
    with transaction.atomic():
        assert append([]) == []
    assert (rings, connection.in_atomic_block) == ([], False)
