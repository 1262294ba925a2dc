import pytest
from psycopg import Connection

from orders_write.commands import CancelOrder
from orders_write.exceptions import KeyReused, NotEnoughStock, NotFound, StillRunning
from orders_write.idempotency import Answer
from orders_write.requests import Outcome

from .shop import customer, do, key, list_products, messages, rows, stock, wish

pytestmark = pytest.mark.usefixtures("database")


def answer(outcome: Outcome) -> Answer:
    status = 422 if outcome.refusal else 201
    return Answer(status=status, headers={"X-Message": str(outcome.message_ids)}, body='{"schön": "1.0000"}')


def test_one_key_has_one_effect_and_one_answer() -> None:
    list_products("mug")
    command = wish(customer())

    first = do(command, key=key("k"), render=answer)
    second = do(command, key=key("k"), render=answer)

    assert (first.replayed, second.replayed) == (False, True)
    assert second.answer == first.answer
    assert (len(rows("SELECT FROM orders")), stock("mug")) == (1, (100, 2))


def test_a_refusal_is_an_answer_too() -> None:
    list_products("mug", on_hand=1)
    ada = customer()

    refused = do(wish(ada), key=key("k"), render=answer)
    list_products("lamp")
    again = do(wish(ada), key=key("k"), render=answer)

    assert isinstance(refused.refusal, NotEnoughStock)
    assert (again.replayed, again.answer) == (True, refused.answer)
    assert [event for event, _ in messages()] == ["ProductListed", "ProductListed"]


def test_a_key_is_not_used_for_another_request() -> None:
    list_products("mug")
    ada = customer()
    do(wish(ada), key=key("k"))

    with pytest.raises(KeyReused):
        do(wish(ada), key=key("k", fingerprint=b"other"))

    assert len(rows("SELECT FROM orders")) == 1


def test_a_key_belongs_to_its_scope() -> None:
    list_products("mug")
    ada = customer()
    do(wish(ada), key=key("k"))

    assert do(wish(ada), key=key("k", scope="user:2 orders")).replayed is False


def test_while_the_first_is_running_the_second_is_told_so_at_once(second_connection) -> None:  # type: ignore[no-untyped-def]
    list_products("mug")
    ada = customer()
    other: Connection[tuple[object, ...]] = second_connection()
    claimed = "SELECT claim_idempotency_keys(ARRAY['user:1 orders'], ARRAY['k'])"
    # The other transaction holds the key and, as a running command does, the stock.
    other.execute(claimed)
    other.execute("SELECT FROM stock FOR NO KEY UPDATE")

    with pytest.raises(StillRunning):
        do(wish(ada), key=key("k"))

    other.rollback()
    assert do(wish(ada), key=key("k")).refusal is None


def test_what_was_not_found_may_be_asked_again() -> None:
    with pytest.raises(NotFound):
        do(CancelOrder(order_id=1), key=key("k"))

    assert rows("SELECT FROM idempotency_keys") == []


def test_without_a_key_nothing_is_stored() -> None:
    list_products("mug")
    do(wish(None))

    assert rows("SELECT FROM idempotency_keys") == []
