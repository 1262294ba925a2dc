"""Tests of waiting for read models: they show what tokens tell of, or it is said why they do not."""

import threading
import time
from contextlib import ExitStack
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.db import connection

from orders_read import consistency, standing
from orders_read.consistency import Reason, Wanted, wait, waiting_places
from orders_read.standing import UnknownReadModel
from orders_write.commands import CreditNoteLine, RecordCreditNote
from outbox import dead_letters, pauses
from outbox.connection import django_connection
from outbox.dead_letters import Failure
from outbox.delivery import drain
from outbox.epoch import current_epoch
from outbox.exceptions import ForeignToken, FutureToken, InvalidToken
from outbox.history import head
from outbox.tokens import CommandToken, ReadToken, sign
from tests.orders_write.shop import closing_connection, do, list_products, place, wish

pytestmark = pytest.mark.usefixtures("database")

MODELS = ["order_details", "order_search"]


@pytest.fixture
def token(database):
    """Let a command tell what a reader must see."""
    list_products("mug")
    return token_of(do(wish(None)))


def token_of(outcome):
    *others, message_id = outcome.message_ids
    return sign(CommandToken(current_epoch(), message_id, outcome.head, tuple(others)))


def read_token(position):
    return sign(ReadToken(current_epoch(), position))


def reason(token, read_models=MODELS, seconds=0.0):
    return wait(Wanted([token]), read_models, seconds).reason


def park(position, subscriber="order_details"):
    """Let an event be one that a read model could not take in."""
    lent = django_connection()
    event = dead_letters.event_at(lent, position)
    dead_letters.park(lent, subscriber, 1, event, Failure("ValueError", "a test parks it", "ValueError"))


def timed(act):
    begun = time.monotonic()
    act()
    return time.monotonic() - begun


def test_what_is_not_relayed_is_not_visible(token):
    assert 0.05 <= timed(lambda: reason(token, seconds=0.05)) < 0.5
    assert wait(Wanted([token]), MODELS, 0).required is None


def test_what_is_not_delivered_is_not_visible(token):
    drain()
    later = token_of(do(wish(None)))
    assert reason(token) is None
    pauses.pause(["user_dashboard"], "so that only the relay goes on", "test")
    django_connection().execute("DELETE FROM checkpoints WHERE subscriber = 'order_search'")

    assert (reason(later), reason(token), reason(token, ["order_details"])) == (Reason.BEHIND, "behind", None)


def test_a_reader_waits_until_it_is_delivered(token):
    def deliver_later():
        with closing_connection():
            drain()

    worker = threading.Timer(0.05, deliver_later)
    worker.start()
    try:
        assert reason(token, seconds=5) is None
    finally:
        worker.join()


def test_every_read_model_that_is_named_must_have_come_so_far_and_no_other(token):
    drain()
    django_connection().execute("DELETE FROM checkpoints WHERE subscriber = 'order_search'")

    seen = wait(Wanted([token]), MODELS, 0)

    assert seen.reason == Reason.BEHIND
    assert seen.lacking is not None
    assert seen.lacking.read_model == "order_search"
    assert reason(token, ["order_details"]) is None


def test_a_token_of_a_read_names_a_position(token):
    drain()
    django_connection().execute("DELETE FROM checkpoints WHERE subscriber = 'order_search'")

    assert reason(read_token(head()), ["order_details"]) is None
    assert reason(read_token(head()), ["order_search"]) == Reason.BEHIND


def test_all_tokens_are_waited_for(token):
    drain()
    later = token_of(do(wish(None)))

    assert wait(Wanted([later, token]), MODELS, 0).reason == Reason.BEHIND
    assert wait(Wanted([token, later]), MODELS, 0).reason == Reason.BEHIND
    assert wait(Wanted([token, read_token(head())]), MODELS, 0).reason is None


def test_a_token_of_another_history_is_refused(token):
    with pytest.raises(ForeignToken):
        Wanted([sign(CommandToken(uuid4(), 1, 0))])
    with pytest.raises(ForeignToken):
        Wanted([token, sign(ReadToken(uuid4(), 1))])
    with pytest.raises(InvalidToken):
        Wanted([token[:-1]])


def test_a_token_of_what_never_happened_is_refused(token):
    drain()
    last = do(wish(None)).message_ids[-1]

    for future in (
        ReadToken(current_epoch(), head() + 1),
        CommandToken(current_epoch(), last + 1, 0),
        CommandToken(current_epoch(), last, head() + 1),
    ):
        with pytest.raises(FutureToken):
            reason(sign(future))
    assert reason(sign(CommandToken(current_epoch(), last, head()))) == Reason.BEHIND


def test_a_replica_waits_for_what_the_primary_may_have(token, monkeypatch):
    drain()
    monkeypatch.setattr("outbox.history.IS_FUTURE", "SELECT NOT true AND %(message_id)s > %(position)s")

    assert timed(lambda: reason(read_token(head() + 1), seconds=0.02)) >= 0.02


def test_a_read_model_that_does_not_exist_is_an_error(token):
    with pytest.raises(UnknownReadModel, match="order_pictures"):
        reason(token, ["order_details", "order_pictures"])


def test_a_paused_read_model_says_so_at_once(token):
    pauses.pause(["order_search"], "a test", "test")
    drain()

    assert timed(lambda: reason(token, seconds=5)) < 1
    assert reason(token) == Reason.PAUSED
    assert reason(token, ["order_details"]) is None
    pauses.resume(["order_search"], "test")
    drain()
    assert reason(token) is None


def test_a_paused_read_model_that_has_it_answers(token):
    drain()
    pauses.pause(MODELS, "a test", "test")

    assert reason(token) is None


def test_who_waits_hears_of_a_pause(token):
    def pause():
        with closing_connection():
            pauses.pause(["order_search"], "a test", "test")

    pausing = threading.Timer(0.05, pause)
    pausing.start()
    try:
        assert reason(token, seconds=5) == Reason.PAUSED
    finally:
        pausing.join()


def test_what_is_parked_says_so_at_once(token):
    other = token_of(do(wish(None)))
    drain()
    park(head() - 1)

    assert reason(token, seconds=5) == Reason.PARKED
    assert (reason(other), reason(token, ["order_search"])) == (None, None)
    later = token_of(do(wish(None)))
    drain()
    assert reason(later) is None


def test_what_waits_behind_a_dead_letter_is_parked_too(token):
    drain()
    placed = place(None)
    drain()
    park(head())
    line = CreditNoteLine(
        sku="mug", qty=1, price=placed.lines[0].price, order_id=placed.order_id, order_line_no=1
    )
    note = token_of(do(RecordCreditNote(user_id=None, lines=(line,), country="France")))
    drain()

    assert reason(note) == Reason.PARKED


def test_any_aggregate_of_a_command_may_be_parked(token):
    first, second = place(None), place(None)
    drain()
    park(head() - 1)
    lines = tuple(
        CreditNoteLine(sku="mug", qty=1, price=one.lines[0].price, order_id=one.order_id, order_line_no=1)
        for one in (first, second)
    )
    note = do(RecordCreditNote(user_id=None, lines=lines, country="France"))
    drain()

    assert len(note.message_ids) == 3
    assert reason(token_of(note)) == Reason.PARKED
    assert reason(sign(CommandToken(current_epoch(), note.message_ids[-1], note.head))) is None


def test_only_some_may_wait_at_once_and_the_others_are_told_so(token):
    with ExitStack() as taken:
        for _ in range(2):  # a quarter of eight threads
            taken.enter_context(waiting_places())

        assert timed(lambda: reason(token, seconds=5)) < 1
        assert reason(token, seconds=5) == Reason.BUSY
        drain()
        assert reason(token) is None
    assert waiting_places().acquire(blocking=False)
    waiting_places().release()


def test_a_quarter_of_the_threads_may_wait_and_one_at_least(settings):
    for threads, places in ((1, 1), (4, 1), (8, 2), (40, 10)):
        settings.WEB_THREADS = threads
        waiting_places.cache_clear()
        assert waiting_places()._initial_value == places
    waiting_places.cache_clear()


def test_a_poll_is_one_statement_and_the_pauses_are_short(token, monkeypatch):
    pauses_seconds, statements = [], []

    def note(execute, sql, parameters, many, context):
        statements.append(sql)
        return execute(sql, parameters, many, context)

    clock = SimpleNamespace(sleep=pauses_seconds.append, monotonic=iter([0, 0, 0, 0, 0, 9]).__next__)
    wanted = Wanted([token])
    monkeypatch.setattr(consistency, "time", clock)
    with connection.execute_wrapper(note):
        wait(wanted, MODELS, 2)

    assert pauses_seconds == [0.002, 0.004, 0.005, 0.005]
    assert [sql == standing.STANDING for sql in statements] == [True, False, False, *[True] * 4]


def test_who_waits_wakes_soon_after_the_checkpoint_moved(token):
    """Of several tries the quickest counts: the machine may be busy."""
    delays = []

    def deliver():
        with closing_connection():
            drain()
            delays.append(time.monotonic())

    for _ in range(5):
        later = token_of(do(wish(None)))
        delivering = threading.Timer(0.03, deliver)
        delivering.start()
        assert reason(later, seconds=5) is None
        woke = time.monotonic()
        delivering.join()
        delays[-1] = woke - delays[-1]

    assert min(delays) <= 0.005


def test_the_lag_is_the_age_of_the_oldest_event_that_is_not_taken_in(token):
    (details,), _ = standing.look(["order_details"])
    assert details.lag_seconds > 0, "a message that is not relayed counts"

    drain()
    (details,), _ = standing.look(["order_details"])
    assert (details.lag_seconds, details.position) == (0, head())

    pauses.pause(["order_details"], "a test", "test")
    do(wish(None))
    drain()
    (details,), _ = standing.look(["order_details"])
    assert details.lag_seconds > 0, "an event in the log counts"


def test_a_rolled_back_message_is_no_lag(token):
    drain()
    django_connection().execute("SELECT nextval('outbox_message_id_seq')")

    (details,), _ = standing.look(["order_details"])

    assert details.lag_seconds == 0


def test_a_token_of_a_pruned_message_is_reached(token):
    drain()
    pruned = head()
    place(None)
    drain()
    with django_connection().transaction():
        django_connection().execute("SET LOCAL session_replication_role = replica")
        django_connection().execute(f"DELETE FROM event_log WHERE position <= {pruned}")

    seen = wait(Wanted([token]), MODELS, 0)

    assert (seen.reason, seen.required) == (None, pruned)
