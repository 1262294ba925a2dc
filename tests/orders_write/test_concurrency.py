"""Commands at the same time: stepped where the order matters, many at once where only the sum does."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from threading import Event
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from psycopg import errors

from orders_write.commands import CancelOrder, RepriceProduct, SetCreditLimit
from orders_write.exceptions import CreditExceeded, NotEnoughStock, ReferenceUsed, UnknownProduct
from orders_write.idempotency import Answer
from orders_write.requests import Outcome

from .round_trips import counted_round_trips
from .shop import closing_connection, credit_used, customer, do, list_products, place, rows, stock, wish

pytestmark = pytest.mark.usefixtures("database")

Connect = Callable[[], psycopg.Connection[tuple[object, ...]]]


@contextmanager
def in_thread_later(work: Callable[[], Outcome]) -> Iterator[Callable[[], Future[Any]]]:
    """Give a function that runs `work` in a thread with a connection of its own; wait for it at the end."""

    def body() -> Outcome:
        with closing_connection():
            return work()

    with ThreadPoolExecutor(1) as pool:
        yield lambda: pool.submit(body)


@contextmanager
def in_thread(work: Callable[[], Outcome]) -> Iterator[Future[Any]]:
    """Run `work` in a thread at once; give its future."""
    with in_thread_later(work) as start:
        yield start()


@contextmanager
def standing_open(command: Any, **changes: Any) -> Iterator[Any]:
    """Hold a command between its decision and its commit, in a thread of its own."""
    reached, leave = Event(), Event()

    def render(outcome: Outcome) -> Answer:
        reached.set()
        assert leave.wait(20)
        return Answer(status=200)

    with in_thread(lambda: do(command, render=render, **changes)) as future:
        assert reached.wait(20)
        try:
            yield future
        finally:
            leave.set()


def wait_until_blocked(connect: Connect) -> None:
    """Return when a session waits for a lock of another."""
    with connect() as watcher:
        watcher.autocommit = True
        for _ in range(2000):
            waiting = watcher.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND cardinality(pg_blocking_pids(pid)) > 0"
            ).fetchone()
            if waiting and waiting[0]:
                return
            watcher.execute("SELECT pg_sleep(0.005)")
    raise AssertionError("nobody waits for a lock")


@pytest.mark.parametrize(
    ("command", "locked"),
    [
        ("place", ["stock", "credit_accounts"]),
        ("cancel", ["orders", "stock", "credit_accounts"]),
    ],
)
def test_rows_are_locked_before_anything_is_written(
    command: str, locked: list[str], second_connection: Connect
) -> None:
    list_products("mug")
    ada = customer(credit_limit="100")
    order = place(ada)
    commands = {"place": wish(ada), "cancel": CancelOrder(order_id=order.order_id)}

    with standing_open(commands[command]):
        for table in locked:
            with pytest.raises(errors.LockNotAvailable), second_connection() as other:
                other.execute(f"SELECT FROM {table} FOR NO KEY UPDATE NOWAIT")
        # A foreign key's lock passes: the stock's product stays free for other orders' lines.
        second_connection().execute("SELECT FROM products FOR KEY SHARE NOWAIT")


def test_every_lock_is_taken_in_order_before_the_first_write(monkeypatch: pytest.MonkeyPatch) -> None:
    ((function,),) = rows("SELECT pg_get_functiondef('load_batch'::regproc)")
    locks = _locks(function)
    list_products("mug", "lamp")
    ada = customer(credit_limit="100")
    order = place(ada)
    sent: list[str] = []
    execute = psycopg.RawCursor.execute

    def spy(self: Any, query: Any, *args: Any, **options: Any) -> Any:
        sent.append(" ".join(str(query).split()))
        return execute(self, query, *args, **options)

    monkeypatch.setattr(psycopg.RawCursor, "execute", spy)
    do(CancelOrder(order_id=order.order_id))

    first_write = next(index for index, query in enumerate(sent) if "INSERT INTO" in query)
    assert ["load_batch" in query for query in sent[:first_write]] == [True]
    assert locks == ["orders by order_id", "credit_accounts by user_id", "stock by product_id"]


def _locks(function: str) -> list[str]:
    """List the rows that a function locks, in which order and of which table."""
    text = " ".join(function.split())
    found = []
    for before in text.split(" FOR NO KEY UPDATE")[:-1]:
        statement = before[before.rindex(" FROM (SELECT ") :]
        table = re.findall(r" FROM (\w+)", statement)[0]
        order = re.fullmatch(r".* ORDER BY (\w+)", statement)
        found.append(f"{table} by {order[1] if order else 'chance'}")
    return found


@pytest.mark.parametrize("kind", ["place", "cancel"])
def test_a_command_takes_four_round_trips(kind: str) -> None:
    list_products("mug", "lamp", "cup")
    ada = customer(credit_limit="1000")
    order = place(ada)
    three_lines = wish(ada, ("mug", 1), ("lamp", 1), ("cup", 1))

    with counted_round_trips() as trips:
        for _ in range(10):  # statements are prepared after a few uses
            warm = do(three_lines).state
            do(CancelOrder(order_id=warm.order_id))  # type: ignore[union-attr]
        trips.count = 0
        do(three_lines if kind == "place" else CancelOrder(order_id=order.order_id))
        counted = trips.count  # before the connection says goodbye

    assert counted == 4


def test_an_order_waits_for_a_running_one_and_sees_the_stock_that_it_left(second_connection: Connect) -> None:
    list_products("mug", on_hand=3)

    later = in_thread_later(lambda: do(wish(None, ("mug", 2))))
    with later as start, standing_open(wish(None, ("mug", 2))):
        second = start()
        wait_until_blocked(second_connection)
        assert not second.done()

    assert isinstance(second.result().refusal, NotEnoughStock)
    assert stock("mug") == (3, 2)


def test_an_order_that_waited_takes_the_price_that_stands_then(second_connection: Connect) -> None:
    list_products("mug")

    later = in_thread_later(lambda: do(wish(None, ("mug", 1))))
    with later as start, standing_open(RepriceProduct(sku="mug", price=Decimal(4))):
        order = start()
        wait_until_blocked(second_connection)

    assert order.result().state.total == Decimal(4)


def test_two_orders_of_one_reference_leave_one(second_connection: Connect) -> None:
    list_products("mug", "lamp")
    first_wish = wish(None, ("mug", 1), source="s", reference="1")
    second_wish = wish(None, ("lamp", 1), source="s", reference="1")

    reached, leave = Event(), Event()

    def render(outcome: Outcome) -> Answer:
        # The second command has looked for the reference, found none, and goes on to insert its row.
        if not reached.is_set():
            reached.set()
            assert leave.wait(20)
        return Answer(status=200)

    with in_thread(lambda: do(second_wish, render=render)) as second:
        assert reached.wait(20)
        first = do(first_wish)
        leave.set()

    assert first.refusal is None
    assert isinstance(second.result().refusal, ReferenceUsed)
    assert rows("SELECT reference FROM orders") == [("1",)]


def test_two_first_credit_limits_leave_the_later_one() -> None:
    ada = customer()
    reached, leave = Event(), Event()

    def render(outcome: Outcome) -> Answer:
        # This command has found no account, and goes on to open one.
        if not reached.is_set():
            reached.set()
            assert leave.wait(20)
        return Answer(status=200)

    with in_thread(lambda: do(SetCreditLimit(user_id=ada, limit=Decimal(7)), render=render)) as later:
        assert reached.wait(20)
        first = do(SetCreditLimit(user_id=ada, limit=Decimal(5)))
        leave.set()

    assert (first.refusal, later.result().refusal) == (None, None)
    assert rows('SELECT "limit", version FROM credit_accounts') == [(Decimal(7), 2)]


def test_a_product_listed_while_an_order_waits_is_unknown_to_it(second_connection: Connect) -> None:
    list_products("mug")

    later = in_thread_later(lambda: do(wish(None, ("mug", 1), ("new", 1))))
    with later as start, standing_open(wish(None, ("mug", 1))):
        order = start()
        wait_until_blocked(second_connection)
        list_products("new")

    assert isinstance(order.result().refusal, UnknownProduct)


def test_many_orders_at_once_never_oversell() -> None:
    list_products("mug", "lamp", "cup", on_hand=20)
    wishes = [
        wish(None, ("mug", 1), ("lamp", 2)),
        wish(None, ("lamp", 1), ("cup", 2)),
        wish(None, ("cup", 1), ("mug", 2)),
    ]

    def work(index: int) -> Outcome:
        with closing_connection():
            return do(wishes[index % 3])

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(work, range(60)))

    sold = dict(rows("SELECT sku, sum(qty) FROM order_items JOIN products USING (product_id) GROUP BY sku"))
    accepted = [outcome for outcome in outcomes if outcome.refusal is None]
    assert {sku: stock(sku)[1] for sku in ("mug", "lamp", "cup")} == sold
    assert all(isinstance(outcome.refusal, NotEnoughStock | None) for outcome in outcomes)
    assert max(sold.values()) <= 20
    assert len(accepted) == rows("SELECT count(*) FROM orders")[0][0]


def test_many_orders_at_once_never_pass_the_credit_limit() -> None:
    list_products("mug", on_hand=1000)
    ada = customer(credit_limit="52")

    def work(_: int) -> Outcome:
        with closing_connection():
            return do(wish(ada))

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(work, range(24)))

    assert credit_used(ada) == Decimal(50)
    assert sum(outcome.refusal is None for outcome in outcomes) == 10
    assert sum(isinstance(outcome.refusal, CreditExceeded) for outcome in outcomes) == 14


def test_a_command_inside_a_callers_transaction_goes_with_it() -> None:
    list_products("mug")
    with transaction.atomic():
        do(wish(None))
        transaction.set_rollback(True)

    assert rows("SELECT FROM orders") == []
    assert connection.in_atomic_block is False
