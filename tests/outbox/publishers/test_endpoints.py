"""Operators add, change, replay and remove endpoints by command; each of it is recorded."""

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from pytest_django import Settings

from outbox.publishers import endpoints
from outbox.publishers.models import WebhookDelivery, WebhookEndpoint
from outbox.publishers.sweeping import sweep_deliveries
from tests.outbox.publishers.conftest import ACTOR, Shop
from tests.webhook_receiver import TAKEN, Answer


def manage(*arguments: Any) -> str:
    """Run a command of manage.py and return what it prints."""
    printed = io.StringIO()
    call_command(*map(str, arguments), stdout=printed, stderr=io.StringIO())
    return printed.getvalue().strip()


def recorded(shop: Shop) -> list[tuple[str, str]]:
    """List what operators did, and to whom."""
    return shop.world.ask("SELECT action, subject FROM operator_actions ORDER BY action_id")


def test_an_added_endpoint_is_served_with_the_secret_that_was_printed(shop: Shop) -> None:
    shop.log((1, 1))
    secret = manage("add_webhook", "partner", shop.receiver.url, "--event-type=ParcelMoved", "--actor=user:7")
    shop.receiver.secrets.append(secret)
    shop.log((1, 2))

    shop.deliver("partner")

    assert shop.receiver.versions() == {1: [2]}
    assert shop.receiver.unsigned == 0
    assert shop.world.ask("SELECT actor, action, subject FROM operator_actions") == [
        ("user:7", "add_webhook", "partner")
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["Shop!", "https://hooks.example/"], "small letters"),
        (["order_details", "https://hooks.example/"], "name of a projection"),
        (["taken", "https://hooks.example/"], "already"),
        (["partner", "https://10.0.0.1/"], "no public address"),
        (["partner", "https://hooks.example/", "--partitions=65"], "1 to 64"),
        (["partner", "https://hooks.example/", "--event-type=Nothing"], "No event is called Nothing"),
    ],
)
def test_an_endpoint_that_will_not_do_is_refused_and_leaves_nothing(
    shop: Shop, settings: Settings, arguments: list[str], told: str
) -> None:
    settings.OUTBOX = settings.OUTBOX | {"EVENTS": "tests.outbox.publishers.test_turns.KNOWN"}
    shop.endpoint("taken")
    with pytest.raises(CommandError, match=told):
        manage("add_webhook", *arguments)
    assert WebhookEndpoint.objects.count() == 1


def test_all_events_from_a_position_on_are_sent_once_more(shop: Shop) -> None:
    # given
    shop.endpoint(partitions=2)
    shop.log((1, 1), (2, 1), (1, 2), (2, 2))
    for partition in (0, 1):
        shop.deliver(partition=partition, partitions=2)
    shop.receiver.taken.clear()

    # when
    assert manage("replay_webhook", "shop", "--from-position=3", "--dry-run") == "2 events would be sent."
    assert shop.receiver.versions() == {}
    assert manage("replay_webhook", "shop", "--from-position=3") == "2 events are sent once more."
    for partition in (0, 1):
        shop.deliver(partition=partition, partitions=2)

    # then
    assert shop.receiver.versions() == {1: [2], 2: [2]}
    assert shop.checkpoint("shop 0/2") == shop.checkpoint("shop 1/2") == 4


def test_a_worker_that_is_at_it_cannot_undo_that_an_endpoint_was_set_back(shop: Shop) -> None:
    shop.endpoint()
    shop.log((1, 1))
    shop.deliver()
    shop.log((1, 2))

    def replay_meanwhile(_: dict[str, Any]) -> Answer:
        shop.receiver.answer(TAKEN)
        manage("replay_webhook", "shop", "--from-position=1")
        connections.close_all()  # this is a thread of the receiver
        return TAKEN

    shop.receiver.choose = replay_meanwhile
    shop.deliver()

    assert shop.receiver.versions() == {1: [1, 2, 1, 2]}


@pytest.mark.parametrize("position", [0, 5])
def test_a_position_that_the_log_does_not_have_is_refused(shop: Shop, position: int) -> None:
    shop.endpoint()
    shop.log((1, 1))
    with pytest.raises(CommandError, match="from 1 to 1"):
        manage("replay_webhook", "shop", f"--from-position={position}")


def test_one_delivery_is_sent_once_more_with_the_same_id(shop: Shop) -> None:
    shop.endpoint()
    shop.log((1, 1), (1, 2))
    shop.deliver()
    delivery = WebhookDelivery.objects.get(position=1)

    assert (
        manage("replay_webhook", "shop", f"--delivery={delivery.pk}", "--dry-run") == "1 event would be sent."
    )
    assert manage("replay_webhook", "shop", f"--delivery={delivery.pk}") == "shop answered 204."

    assert shop.receiver.versions() == {1: [1, 2, 1]}
    assert shop.receiver.ids()[0] == shop.receiver.ids()[2]
    assert WebhookDelivery.objects.filter(position=1).count() == 2


def test_a_test_event_says_what_the_endpoint_answers(shop: Shop) -> None:
    shop.endpoint()
    assert manage("ping_webhook", "shop").startswith("shop answered 204 in ")
    assert [received.event_type for received in shop.receiver.taken] == [endpoints.PING]

    shop.receiver.answer(Answer(404))
    with pytest.raises(CommandError, match="the endpoint answered 404"):
        manage("ping_webhook", "shop")
    assert shop.outcomes() == [("delivered", 204), ("refused", 404)]


def test_a_disabled_endpoint_gets_what_it_missed_when_it_is_enabled(shop: Shop) -> None:
    shop.endpoint()
    manage("disable_webhook", "shop", "--reason=moving")
    shop.log((1, 1))
    shop.deliver()
    assert shop.receiver.seen == []
    assert shop.is_enabled() == (False, "moving")

    manage("enable_webhook", "shop")
    shop.deliver()
    assert shop.receiver.versions() == {1: [1]}
    assert [action for action, _ in recorded(shop)] == ["add_webhook", "disable_webhook", "enable_webhook"]


def test_a_secret_is_replaced_and_the_old_one_is_good_for_a_while(shop: Shop) -> None:
    old = shop.endpoint()
    new = manage("rotate_webhook_secret", "shop", "--keep-hours=2")
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.secret, endpoint.previous_secret) == (new, old)
    details = shop.world.ask("SELECT details::text FROM operator_actions WHERE action LIKE 'rotate%'")
    assert new not in str(details)


def test_a_removed_endpoint_leaves_nothing_that_waits(shop: Shop) -> None:
    shop.endpoint()
    shop.receiver.answer(Answer(400))
    shop.log((1, 1))
    shop.deliver()

    endpoints.remove(ACTOR, "shop")

    assert shop.letters() == [(1, "skipped", 1)]
    assert shop.world.ask("SELECT * FROM checkpoints") == []
    assert shop.world.ask("SELECT subscriber FROM publishers") == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["replay_webhook", "nobody", "--from-position=1"],
        ["ping_webhook", "nobody"],
        ["enable_webhook", "nobody"],
        ["disable_webhook", "nobody", "--reason=why"],
        ["rotate_webhook_secret", "nobody"],
    ],
)
def test_an_endpoint_that_nobody_knows_is_told_with_those_that_there_are(
    shop: Shop, arguments: list[str]
) -> None:
    shop.endpoint()
    shop.log((1, 1))
    with pytest.raises(CommandError, match=r"nobody.*shop"):
        manage(*arguments)


def test_personal_data_is_sent_only_where_it_is_asked_for(shop: Shop) -> None:
    shop.endpoint("plain")
    shop.endpoint("full", with_personal=True)
    shop.log((1, 1))
    shop.world.ask(
        'INSERT INTO event_personal SELECT event_id, 7, \'{"name": "Ada"}\' FROM event_log RETURNING 1'
    )

    shop.deliver("plain")
    shop.deliver("full")

    assert [b"Ada" in body for _, body in shop.receiver.requests] == [False, True]


def test_positions_and_ids_are_texts_as_they_may_be_larger_than_a_number_in_javascript(shop: Shop) -> None:
    shop.endpoint()
    large = 2**53 + 1
    shop.log((large, 1))
    shop.deliver()
    ((_, body),) = shop.receiver.requests
    assert f'"aggregate_id":"{large}"'.encode() in body
    assert b'"position":"1"' in body


def test_old_deliveries_are_forgotten(shop: Shop, settings: Settings) -> None:
    settings.OUTBOX = settings.OUTBOX | {"WEBHOOK_DELIVERY_DAYS": 30}
    shop.endpoint()
    shop.log((1, 1), (1, 2))
    shop.deliver()
    shop.world.ask(
        "UPDATE webhook_deliveries SET attempted_at = now() - interval '31 days' WHERE position = 1 RETURNING 1"
    )

    assert sweep_deliveries(shop.world.watcher, lambda: False) == 1

    assert [delivery.position for delivery in WebhookDelivery.objects.all()] == [2]
