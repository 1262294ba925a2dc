"""Events reach an endpoint in order and at least once, whatever it does; a failure stops no more than it must."""

import pytest

from outbox.publishers import marks, turns
from outbox.publishers.lanes import Lane
from tests.outbox.publishers.conftest import Shop
from tests.webhook_receiver import TAKEN, Answer


def test_events_arrive_in_the_order_of_the_log(shop: Shop) -> None:
    shop.endpoint()
    shop.log((1, 1), (2, 1), (1, 2))

    shop.deliver()

    assert shop.receiver.versions() == {1: [1, 2], 2: [1]}
    assert shop.checkpoint() == 3
    assert shop.outcomes() == [("delivered", 204)] * 3
