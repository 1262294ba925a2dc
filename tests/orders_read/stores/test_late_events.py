"""What a dead letter kept back reaches the mirror when it is delivered, though the log has passed it long ago."""

import pytest
from django.db import connection

from orders_read.stores.positions import position_of_store
from outbox import dead_letters
from outbox.careful import CarefulDelivery
from outbox.connection import connect
from outbox.dead_letters import Failure
from outbox.delivery import drain

from .conftest import Mirrored

CAUSE = Failure("ValueError", "what a mess", "ValueError in a test")
FIRST_PAYMENT = """
SELECT position FROM event_log WHERE event_type <> 'OrderPlaced' AND aggregate_type = 'order' AND position > %s
 ORDER BY position LIMIT 1
"""
DUE = "UPDATE dead_letters SET next_attempt_at = now() WHERE state = 'waiting'"


@pytest.fixture
def parked(mirrored: Mirrored) -> int:
    """Park one event of an order before it is folded; everything else goes on, in PostgreSQL and in the store."""
    ((before,),) = mirrored.ask("SELECT max(position) FROM event_log")
    mirrored.happen(folds=False)
    ((position,),) = mirrored.ask(FIRST_PAYMENT, before)
    with connect("test") as lent:
        event = dead_letters.event_at(lent, position)
        for name in ("order_details", "user_dashboard"):
            dead_letters.park(lent, name, 1, event, CAUSE)
    drain()
    mirrored.serve()
    mirrored.is_equal()
    return int(position)


def is_brought_when_it_is_folded(shop: Mirrored) -> None:
    """Check that the event reaches the store with its letter's end, and that tokens wait for it."""
    shop.ask(DUE)
    with connect("test") as lent:
        assert CarefulDelivery(lent).run_due() == 2
    letters = shop.ask("SELECT min(position) FROM touched_documents WHERE subscriber LIKE 'order_details@%%'")
    found = position_of_store("order_details")
    assert found is not None
    assert letters != [(None,)]
    assert found.position == letters[0][0] - 1
    shop.keep()
    shop.is_equal()


def test_an_event_that_was_folded_late_reaches_it(mirrored: Mirrored, parked: int) -> None:
    is_brought_when_it_is_folded(mirrored)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM touched_documents")
        assert cursor.fetchone() == (0,)


def test_letters_of_read_models_that_nobody_mirrors_leave_no_trace(mirrored: Mirrored) -> None:
    with connect("test") as lent:
        event = dead_letters.event_at(lent, 50)
        dead_letters.park(lent, "order_search", 1, event, CAUSE)
        lent.execute("UPDATE dead_letters SET state = 'skipped', next_attempt_at = NULL, settled_at = now()")
        assert lent.execute("SELECT count(*) FROM touched_documents").fetchone() == (0,)
