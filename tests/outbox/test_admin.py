"""The admin shows the log and the outbox, and changes neither."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from outbox.actions import record
from outbox.relay import Relay
from tests.outbox.world import World


@pytest.fixture
def staff(bare_world: World) -> Client:
    """Give a client of a superuser."""
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root", password="secret"))
    return client


@pytest.fixture
def filled(bare_world: World) -> World:
    """Give a log of two events and an outbox of one message."""
    bare_world.commit((1, 1), (2, 1))
    Relay().run_once(bare_world.worker())
    bare_world.commit((1, 2))
    return bare_world


def page(client: Client, name: str, *arguments: object, **query: str) -> str:
    response = client.get(reverse(f"admin:outbox_{name}", args=arguments), query)
    assert response.status_code == 200
    return response.content.decode()


def test_the_log_is_listed_newest_first(staff: Client, filled: World) -> None:
    text = page(staff, "loggedevent_changelist")
    assert "2 events" in text
    assert text.index(">2</a>") < text.index(">1</a>")


def test_the_log_can_be_searched_by_aggregate(staff: Client, filled: World) -> None:
    assert "1 event" in page(staff, "loggedevent_changelist", q="2")


def test_what_is_left_of_a_pruned_log_is_counted(staff: Client, small_partitions: World) -> None:
    small_partitions.commit(*((1, version) for version in range(1, 16)))
    relay, connection = Relay(), small_partitions.worker()
    while relay.run_once(connection):
        pass
    small_partitions.watcher.execute("ALTER TABLE event_log DETACH PARTITION event_log_p1 CONCURRENTLY")
    assert "5 events" in page(staff, "loggedevent_changelist")


def test_an_event_and_a_message_can_be_looked_at(staff: Client, filled: World) -> None:
    assert "ParcelMoved" in page(staff, "loggedevent_change", 1)
    assert "ParcelMoved" in page(staff, "outboxmessage_changelist")


@pytest.mark.parametrize("name", ["loggedevent", "outboxmessage"])
def test_nothing_can_be_added_changed_or_deleted(staff: Client, filled: World, name: str) -> None:
    key = {"loggedevent": 1, "outboxmessage": 3}[name]
    assert staff.get(reverse(f"admin:outbox_{name}_add")).status_code == 403
    assert staff.post(reverse(f"admin:outbox_{name}_change", args=[key]), {}).status_code == 403
    assert staff.post(reverse(f"admin:outbox_{name}_delete", args=[key]), {}).status_code == 403


LETTER = """
INSERT INTO dead_letters (subscriber, generation, position, event_type, schema_version, aggregate_type, aggregate_id,
                          aggregate_version, state, attempts, error_type, error_message, fingerprint)
VALUES ('seen', 1, 1, 'ParcelMoved', 1, 'parcel', $1::bigint, 1, 'parked', 5, 'ValueError', 'bad', $2::text)
RETURNING dead_letter_id
"""


def test_dead_letters_are_listed_and_filtered_by_what_caused_them(staff: Client, bare_world: World) -> None:
    bare_world.ask(LETTER, 71, "ValueError at here")
    bare_world.ask(LETTER, 72, "KeyError at there")

    assert "2 dead letters" in page(staff, "deadletter_changelist", state="parked")
    text = page(staff, "deadletter_changelist", fingerprint="KeyError at there")
    assert "1 dead letter" in text
    assert ">72</td>" in text


def test_what_operators_did_is_listed(staff: Client, bare_world: World) -> None:
    record(bare_world.watcher, "shell:ada", "pause_delivery", "seen", "the disk is full")

    assert "the disk is full" in page(staff, "operatoraction_changelist", q="seen")
