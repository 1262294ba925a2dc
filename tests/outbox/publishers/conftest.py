"""Fixtures of publishers: a world with a log, a receiver, and endpoints on it."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from pytest_django import Settings

from outbox.connection import connect
from outbox.publishers import endpoints, lanes, loop
from outbox.publishers.lanes import Lane
from outbox.publishers.models import WebhookEndpoint
from outbox.publishers.turns import Turns
from outbox.relay import Relay
from tests.outbox.world import World
from tests.webhook_receiver import WebhookReceiver

ACTOR = "user:1"


class Shop:
    """A log, one receiver, and endpoints that are served turn by turn."""

    turns_class = Turns

    def __init__(self, world: World, receiver: WebhookReceiver) -> None:
        self.world = world
        self.receiver = receiver

    def log(self, *aggregates: tuple[int, int], event_type: str = "ParcelMoved") -> None:
        """Put events of parcels into the log."""
        self.world.commit(*aggregates, event_type=event_type)
        relay = Relay()
        while relay.run_once(self.world.watcher):
            pass

    def endpoint(self, name: str = "shop", **wishes: Any) -> str:
        """Add an endpoint at the receiver, from the log's beginning; return its secret."""
        secret = endpoints.add(ACTOR, name, self.receiver.url, **{"from_beginning": True} | wishes)
        self.receiver.secrets.append(secret)
        return secret

    def deliver(self, name: str = "shop", partition: int = 0, partitions: int = 1, most: int = 50) -> int:
        """Serve one partition until nothing is left to do now; return how many turns it took."""
        lane = Lane(name, "webhook", partition, partitions)
        with connect("test") as connection:
            if not lanes.try_lock(connection, lane):
                return 0
            target = loop.publisher_of("webhook").open(connection, name)
            turns = self.turns_class(connection, lane, target, uuid4())
            try:
                return next((done for done in range(most) if not turns.turn()), most)
            finally:
                target.close()

    def let_time_pass(self) -> None:
        """Make everything due that was put off."""
        self.world.ask("UPDATE delivery_failures SET next_attempt_at = clock_timestamp() RETURNING 1")
        self.world.ask(
            "UPDATE dead_letters SET next_attempt_at = clock_timestamp() WHERE state = 'waiting' RETURNING 1"
        )

    def letters(self) -> list[tuple[int, str, int]]:
        """List dead letters: aggregate, state, attempts."""
        return self.world.ask(
            "SELECT aggregate_id, state, attempts FROM dead_letters ORDER BY dead_letter_id"
        )

    def breaker(self, name: str = "shop") -> list[tuple[int, str]]:
        """Show the breaker: failures in a row and the error; nothing when it is closed."""
        return self.world.ask(
            "SELECT attempts, error_message FROM delivery_failures WHERE subscriber = $1", name
        )

    def checkpoint(self, lane: str = "shop 0/1") -> int:
        """Read how far a lane has come."""
        return self.world.checkpoint(lane)

    def outcomes(self) -> list[tuple[str, int | None]]:
        """List what became of each call."""
        return self.world.ask("SELECT outcome, response_status FROM webhook_deliveries ORDER BY delivery_id")

    def is_enabled(self, name: str = "shop") -> tuple[bool, str]:
        """Tell whether an endpoint is enabled, and why not."""
        query = "SELECT is_enabled FROM publishers WHERE subscriber = $1"
        return self.world.ask(query, name)[0][0], WebhookEndpoint.objects.get(subscriber=name).disabled_reason


@pytest.fixture(autouse=True)
def _quick(settings: Settings) -> None:
    settings.OUTBOX = settings.OUTBOX | {
        "PUBLISHERS": {"webhook": "outbox.publishers.webhooks.publisher"},
        "WEBHOOK_ALLOWED_NETWORKS": ["127.0.0.0/8", "::1/128"],
        "WEBHOOK_CONNECT_TIMEOUT_SECONDS": 1,
        "WEBHOOK_TIMEOUT_SECONDS": 0.5,
        "WEBHOOK_RETRY_SECONDS": [60, 60, 60],
        "PUBLISHER_FIRST_PAUSE_SECONDS": 60,
        "EVENTS": "",
    }


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    """Give a receiver that takes everything."""
    with WebhookReceiver() as server:
        yield server


@pytest.fixture
def shop(bare_world: World, receiver: WebhookReceiver) -> Shop:
    """Give a shop with a log and no endpoint yet."""
    return Shop(bare_world, receiver)


MakeShop = Callable[[], Shop]
