"""An endpoint is never begun, set back or enabled where events are missing: it would miss them without a word."""

from collections.abc import Callable

import psycopg
import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from outbox import partitions, retention
from outbox.publishers import endpoints
from outbox.relay import Relay
from tests.outbox.guarantees import Broken, expect
from tests.outbox.publishers.conftest import ACTOR
from tests.outbox.world import World

URL = "https://127.0.0.1:9/"


@pytest.fixture
def pruned(small_partitions: World) -> World:
    """Give a log of 25 events, the first ten of which were pruned after an endpoint had been disabled at 0."""
    world = small_partitions
    endpoints.add(ACTOR, "early", URL, from_beginning=True)
    endpoints.disable(ACTOR, "early", "it asked for that")
    world.commit(*((1, version) for version in range(1, 26)))
    relay, connection = Relay(), world.worker()
    while relay.run_once(connection):
        pass
    (first, *_) = partitions.attached(psycopg.RawCursor(connection))
    retention.detach(connection, first, 5)
    return world


def misses_nothing(act: Callable[[], object]) -> None:
    """Check that an endpoint which would miss pruned events is refused."""
    try:
        act()
    except ValueError as error:
        told = str(error)
    else:
        raise Broken("it would miss ten events")
    expect("begins at position 11" in told, True)


ACTS = [
    lambda: endpoints.add(ACTOR, "late", URL, from_beginning=True),
    lambda: endpoints.enable(ACTOR, "early"),
    lambda: endpoints.replay_from(ACTOR, "early", 10),
]


@pytest.mark.parametrize("act", ACTS)
def test_an_endpoint_misses_no_pruned_event(pruned: World, act: Callable[[], object]) -> None:
    misses_nothing(act)
    assert pruned.ask("SELECT subscriber, is_enabled, from_position FROM publishers") == [("early", False, 0)]


@pytest.mark.parametrize("act", ACTS)
def test_one_that_is_not_asked_about_is_caught(
    pruned: World, act: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "pruned_up_to", lambda _: 0)
    with pytest.raises(Broken):
        misses_nothing(act)


@pytest.mark.parametrize(
    "words",
    [
        ("enable_webhook", "early"),
        ("replay_webhook", "early", "--from-position", "10"),
        ("add_webhook", "late", URL, "--from-beginning"),
    ],
)
def test_the_commands_say_so(pruned: World, words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match="begins at position 11"):
        call_command(*words)


def test_the_admin_says_so(pruned: World, client: Client) -> None:
    client.force_login(get_user_model().objects.create_superuser("root", password="secret"))
    page = "admin:outbox_webhookendpoint_"
    new = {"subscriber": "late", "url": URL, "partitions": "1", "event_types": "", "from_beginning": "on"}
    action = {"_selected_action": "early", "run": "1", "from_position": "10"}
    answers = [
        client.post(reverse(f"{page}add"), new),
        client.post(reverse(f"{page}changelist"), action | {"action": "enable"}, follow=True),
        client.post(reverse(f"{page}changelist"), action | {"action": "replay"}, follow=True),
    ]
    assert ["begins at position 11" in answer.content.decode() for answer in answers] == [True, True, True]


def test_what_is_left_can_be_had(pruned: World) -> None:
    endpoints.add(ACTOR, "late", URL)
    assert endpoints.replay_from(ACTOR, "early", 11) == 15
    endpoints.enable(ACTOR, "early")
