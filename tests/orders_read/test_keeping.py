"""Workers verify a little at a time, and drop generations when they are kept no longer."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import psycopg
import pytest
from django.conf import settings

from orders_read import keeping
from orders_read.keeping import drop_expired, verify_slowly
from orders_read.rebuild.alone import alone
from orders_read.rebuild.run import Wishes, rebuild
from outbox import chores
from outbox.connection import connect
from outbox.delivery import drain
from outbox.folds import stored_form
from outbox.lag import look
from outbox.subscribers import Projection, projections
from tests.orders_write.shop import customer, list_products, place
from tests.outbox.test_delivery_status import status

pytestmark = pytest.mark.usefixtures("database")

Connection = psycopg.Connection[Any]
CHORES = ["orders_read.keeping.verify_slowly", "orders_read.keeping.drop_expired"]


@pytest.fixture
def worker(database: None) -> Iterator[Connection]:
    list_products("mug")
    place(customer("ada"))
    drain()
    with connect("test") as lent:
        yield lent


@pytest.fixture
def kept(worker: Connection) -> Iterator[Connection]:
    """Give a worker's connection beside a generation of product_sales whose time is over, and no other."""
    with connect("clean") as lent:
        lent.execute("UPDATE projection_generations SET drop_after = NULL")
    one = next(each for each in projections() if each.name == "product_sales")
    rebuild(one, Wishes(actor="shell:ada", keep_hours=0))
    yield worker
    drop_expired(worker, lambda: False)
    _call_it_the_first(worker, one)


def _call_it_the_first(worker: Connection, one: Projection) -> None:
    """Give the live generation the number that other tests know: generations outlive a test."""
    ((generation,),) = worker.execute(LIVE).fetchall()
    statements, digest = stored_form(one, 1)
    with worker.transaction():
        for table in one.tables:
            worker.execute(f"ALTER TABLE read_{table.name}_g{generation} RENAME TO read_{table.name}_g1")
        worker.execute(RENUMBER, [statements, digest])
        worker.execute("DELETE FROM checkpoints WHERE subscriber = 'product_sales'")


LIVE = "SELECT generation FROM projection_generations WHERE projection = 'product_sales' AND state = 'live'"
RENUMBER = """
UPDATE projection_generations SET generation = 1, statements = %s::jsonb, statements_hash = %s
 WHERE projection = 'product_sales' AND state = 'live'
"""


def never() -> bool:
    return False


def kept_generations(worker: Connection) -> int:
    query = (
        "SELECT count(*) FROM projection_generations WHERE projection = 'product_sales' AND state = 'kept'"
    )
    ((count,),) = worker.execute(query).fetchall()
    return int(count)


@pytest.mark.parametrize("path", CHORES)
def test_workers_do_it(worker: Connection, path: str) -> None:
    assert path in settings.OUTBOX["CHORES"]
    assert chores.run(path) == 0


def verifies_a_twentieth_of_the_time(worker: Connection) -> None:
    """Check that after a slice of t seconds nobody verifies for 19 t, in whichever process."""
    slices: list[float] = []

    def work(*_: Any) -> int:
        slices.append(time.monotonic())
        time.sleep(0.02)
        return 0

    ends_at = time.monotonic() + 1.0
    with mock.patch("orders_read.keeping.continue_verifying", work):
        while time.monotonic() < ends_at:
            verify_slowly(worker, never)
    assert 1 <= len(slices) <= 3, "more than a twentieth of the time"


def test_all_workers_together_verify_for_a_twentieth_of_the_time(worker: Connection) -> None:
    verifies_a_twentieth_of_the_time(worker)


def test_who_verifies_without_a_pause_is_caught(worker: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "PAUSE_PER_SECOND", 0)
    with pytest.raises(AssertionError, match="more than a twentieth"):
        verifies_a_twentieth_of_the_time(worker)


def test_a_slice_that_fails_has_its_pause_too(worker: Connection) -> None:
    failing: Callable[..., int] = mock.Mock(side_effect=LookupError)
    with mock.patch("orders_read.keeping.continue_verifying", failing):
        with pytest.raises(LookupError):
            verify_slowly(worker, never)
        worker.execute("UPDATE verification_slices SET seconds = 100")
        assert verify_slowly(worker, never) == 0


def test_what_is_found_is_told_until_it_is_repaired(worker: Connection) -> None:
    worker.execute("UPDATE read_product_sales SET gross = gross + 1")
    for _ in projections():
        worker.execute("DELETE FROM verification_slices")
        verify_slowly(worker, never)

    (lag,) = (one for one in look().subscribers if one.subscriber == "product_sales")
    others = [one for one in look().subscribers if one.kind == "projection" and one is not lag]

    assert (lag.rows_different, lag.verified_position) == (1, lag.position)
    assert lag.verified_seconds is not None
    assert "1 row differed when verified at" in status()[1]
    assert {one.rows_different for one in others if one.subscriber != "product_sales"} == {0}


def test_a_generation_is_dropped_when_it_is_kept_no_longer(kept: Connection) -> None:
    assert kept_generations(kept) == 1
    assert drop_expired(kept, never) == 1
    assert kept_generations(kept) == 0
    ((actor, action),) = kept.execute(
        "SELECT actor, action FROM operator_actions WHERE action = 'drop_generation'"
    ).fetchall()
    assert (actor, action) == ("worker:keeping", "drop_generation")
    assert drop_expired(kept, never) == 0


def test_a_generation_that_is_still_kept_stays(kept: Connection) -> None:
    kept.execute(
        "UPDATE projection_generations SET drop_after = now() + interval '1 hour' WHERE state = 'kept'"
    )
    assert drop_expired(kept, never) == 0
    assert kept_generations(kept) == 1
    kept.execute("UPDATE projection_generations SET drop_after = now() WHERE state = 'kept'")


def test_a_generation_that_is_still_read_is_dropped_later(
    kept: Connection, second_connection: Callable[[], Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orders_read.generations.PATIENT", "SET LOCAL lock_timeout = '50ms'")
    reader = second_connection()
    ((table,),) = kept.execute(
        "SELECT statements -> 0 ->> 'table' FROM projection_generations"
        " WHERE projection = 'product_sales' AND state = 'kept'"
    ).fetchall()
    reader.execute(f"SELECT count(*) FROM {table}")
    assert drop_expired(kept, never) == 0
    reader.rollback()
    assert drop_expired(kept, never) == 1


def test_a_generation_is_not_dropped_under_a_roll_back(kept: Connection) -> None:
    with connect("roll back") as other, alone(other, "product_sales"):
        assert drop_expired(kept, never) == 0
    assert drop_expired(kept, never) == 1
