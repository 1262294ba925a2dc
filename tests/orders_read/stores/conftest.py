"""Fixtures of stores: a server of each technology, and a shop whose orders and dashboards it mirrors."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection as django_connection
from pytest_django import Settings

from orders_read import queries
from orders_read.generations import drop_generation
from orders_read.mirrors import building, keeping
from orders_read.mirrors.building import mirror_of
from orders_read.rebuild.swapping import swap
from orders_read.stores import choice
from orders_read.stores.choice import noted_stores
from orders_read.stores.documents import DOCUMENTS
from outbox import epoch
from outbox.connection import connect
from outbox.delivery import drain
from outbox.publishers.loop import PublisherLoop
from tests.orders_read.histories import Happened, long_history, write_to_log
from tests.outbox.processes import start  # noqa: F401 – a fixture
from tests.outbox.world import wait_until

from .backends import BACKENDS, Backend

LATER = "SELECT projection, generation, state FROM projection_generations WHERE generation > 1 ORDER BY state"


class Mirrored:
    """A shop whose documents stand in another store too; its history comes in portions."""

    def __init__(self, backend: Backend, settings: Settings) -> None:
        self.backend = backend
        self._settings = settings
        self._history: list[Happened] = long_history(300)
        self.choose()

    def choose(self, **options: Any) -> None:
        """Let the settings name the store, with these options."""
        choice._chosen.cache_clear()  # breakers closed
        self._settings.READ_STORES = {name: self.backend.options(**options) for name in DOCUMENTS}

    def happen(self, events: int = 100, *, folds: bool = True) -> None:
        """Let the next events happen, and fold them."""
        now, self._history = self._history[:events], self._history[events:]
        assert now, "the history is over"
        write_to_log(now)
        if folds:
            drain()

    def build(self) -> None:
        """Build both mirrors."""
        for name in DOCUMENTS:
            building.rebuild(mirror_of(name), "shell:ada")

    def serve(self) -> int:
        """Feed the mirrors what they can take."""
        loop = PublisherLoop(threading.Event())
        try:
            return loop.run_once(30)
        finally:
            loop.close()

    def keep(self) -> int:
        """Run the chore once."""
        with connect("chore") as lent:
            return keeping.keep_mirrors(lent, lambda: False)

    def let_time_pass(self) -> None:
        """Make everything due that was put off, and close the readers' breakers."""
        self.ask("UPDATE delivery_failures SET next_attempt_at = clock_timestamp()")
        choice._chosen.cache_clear()

    def ask(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with django_connection.cursor() as cursor:
            cursor.execute(query, parameters)
            return list(cursor.fetchall()) if cursor.description else []

    def answers(self) -> tuple[dict[Any, str | None], set[str]]:
        """Ask everything that can be asked of the two read models; say which stores answered."""
        orders = [order_id for (order_id,) in self.ask("SELECT order_id FROM read_order_details")]
        with noted_stores() as noted:
            answers: dict[Any, str | None] = {
                (order_id, user_id): queries.order_details(order_id, user_id=user_id)
                for order_id in [*orders, 424_242]
                for user_id in (None, 1, 2, 3)
            }
            answers |= {user_id: queries.user_dashboard(user_id) for user_id in (1, 2, 3, 2**62)}
        return answers, set(noted.stores)

    def expected(self) -> dict[Any, str | None]:
        """Ask PostgreSQL the same."""
        chosen = self._settings.READ_STORES
        self._settings.READ_STORES = {}
        try:
            return self.answers()[0]
        finally:
            self._settings.READ_STORES = chosen

    def is_equal(self, by: str = "") -> None:
        """Check that every answer is PostgreSQL's, byte for byte, and which store gave it: the mirror's by default."""
        answers, stores = self.answers()
        assert answers == self.expected()
        assert stores == {by or self.backend.name}

    def state(self, name: str = "order_details") -> list[tuple[Any, ...]]:
        """List the generations of a mirror."""
        query = """SELECT generation, source_generation, state FROM mirror_generations
                    WHERE projection = %s ORDER BY generation"""
        return self.ask(query, name)


@pytest.fixture(scope="module", params=BACKENDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """Give a server of each technology."""
    backend = BACKENDS[request.param](tmp_path_factory.mktemp(request.param))
    backend.start()
    yield backend
    backend.kill()


@pytest.fixture
def shop(database: None, server: Backend, settings: Settings) -> Iterator[Mirrored]:
    """Give a shop with a history of a hundred events, not mirrored yet."""
    settings.OUTBOX = settings.OUTBOX | {"PUBLISHER_FIRST_PAUSE_SECONDS": 60}
    server.revive()
    server.empty()
    epoch._known.clear()  # of an earlier test
    shop = Mirrored(server, settings)
    shop.happen()
    yield shop
    choice._chosen.cache_clear()
    _show_first_generations()


@pytest.fixture
def mirrored(shop: Mirrored) -> Mirrored:
    """Give a shop that is mirrored."""
    shop.build()
    return shop


def _show_first_generations() -> None:
    """Undo what a test rebuilt in PostgreSQL: the generations outlive the test."""
    with connect("tests") as lent:
        for name, generation, state in lent.execute(LATER).fetchall():
            if state == "live":
                swap(lent, name, 1, keep_hours=0)
            drop_generation(lent, name, generation)


__all__ = ["Mirrored", "mirrored", "server", "shop", "wait_until"]
