"""Tests of waiting for a read model: it shows what a token tells of, or says that it does not yet."""

import threading
import time
from uuid import uuid4

import pytest
from django.db import connection

from orders_read.consistency import UnknownReadModel, wait_until_visible
from outbox.delivery import drain
from outbox.epoch import current_epoch
from outbox.exceptions import InvalidToken
from outbox.history import head
from outbox.tokens import CommandToken, ReadToken, sign
from tests.orders_write.shop import do, list_products, wish

pytestmark = pytest.mark.usefixtures("database")

MODELS = ["order_details", "order_search"]


@pytest.fixture
def token(database):
    """Let a command tell what a reader must see."""
    list_products("mug")
    outcome = do(wish(None))
    return sign(CommandToken(current_epoch(), outcome.message_ids[-1], outcome.head))


def test_what_is_not_delivered_is_not_visible(token):
    started = time.monotonic()

    assert wait_until_visible(token, MODELS, 0.05) is False
    assert 0.03 < time.monotonic() - started < 0.5


def test_what_is_delivered_is_visible_at_once(token):
    drain()

    assert wait_until_visible(token, MODELS, 0) is True


def test_a_reader_waits_until_it_is_delivered(token):
    def deliver_later():
        time.sleep(0.05)
        drain()
        connection.close()

    worker = threading.Thread(target=deliver_later)
    worker.start()
    try:
        assert wait_until_visible(token, MODELS, 5) is True
    finally:
        worker.join()


def test_every_read_model_that_is_named_must_have_come_so_far(token):
    drain()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM checkpoints WHERE subscriber = 'order_search'")

    assert wait_until_visible(token, ["order_details"], 0) is True
    assert wait_until_visible(token, MODELS, 0) is False


def test_a_token_of_a_read_names_a_position(token):
    drain()

    assert wait_until_visible(sign(ReadToken(current_epoch(), head())), MODELS, 0) is True
    assert wait_until_visible(sign(ReadToken(current_epoch(), head() + 1)), MODELS, 0) is False


def test_a_token_of_another_history_is_refused(token):
    with pytest.raises(InvalidToken):
        wait_until_visible(sign(CommandToken(uuid4(), 1, 0)), MODELS, 0)
    with pytest.raises(InvalidToken):
        wait_until_visible(token[:-1], MODELS, 0)


def test_a_read_model_that_does_not_exist_is_an_error(token):
    drain()

    with pytest.raises(UnknownReadModel, match="order_pictures"):
        wait_until_visible(token, ["order_details", "order_pictures"], 0)
