"""Positions, messages and ids beyond 32 bits, and beyond what a number of JavaScript holds, lose no digit anywhere."""

from typing import Any

import pytest
from django.db import connection
from psycopg import RawCursor

from orders_write.models import User
from outbox import history, partitions, retention, tokens
from outbox.connection import django_connection
from outbox.delivery import drain
from outbox.partitions import Partition
from tests.clients import CheckedClient, staff
from tests.orders_write.shop import rows

JAVASCRIPT = 2**53
STARTS = [2**31 - 3, JAVASCRIPT - 2]

SEQUENCES = (
    "outbox_message_id_seq", "orders_order_id_seq", "products_product_id_seq", "credit_notes_credit_note_id_seq",
    "users_id_seq", "payments_payment_id_seq",
)  # fmt: skip
FIRST_EVENT = """
INSERT INTO event_log VALUES (
    %s, %s, gen_random_uuid(), 'CreditLimitSet', 1, 'credit_account', 1, 1,
    '{"user_id": "1", "limit": "1.0000", "previous_limit": "0.0000", "used": "0.0000"}', '{}', now(), now())
"""
STAND_THERE = """
INSERT INTO checkpoints (subscriber, generation, from_position, to_position)
SELECT projection, generation, 0, %s FROM projection_generations
"""

GETS = (
    "orders", "orders/{order_id}", "search?q=mug", "dashboard", "products", "products/mug",
    "analytics/daily-revenue?from=2026-01-01&to=2030-12-31", "analytics/product-sales",
)  # fmt: skip
PAGES = (
    "/",
    "/dashboard/",
    "/orders/",
    "/orders/{order_id}/",
    "/orders/new/?q=mug",
    "/products/",
    "/revenue/",
)

pytestmark = pytest.mark.usefixtures("old_log")


@pytest.fixture(params=STARTS, ids=str)
def old_log(database: None, request: pytest.FixtureRequest) -> Any:
    """Give a log and tables so old that their next numbers are that high; the usual partitions come back."""
    start = request.param
    raw = django_connection()
    for partition in partitions.attached(_cursor()):
        raw.execute(f"DROP TABLE {partition.name}")
    name = f"event_log_p{start - 9}"
    raw.execute(f"CREATE TABLE {name} PARTITION OF event_log FOR VALUES FROM ({start - 9}) TO ({start + 4})")
    with connection.cursor() as cursor:
        for sequence in SEQUENCES:
            cursor.execute("SELECT setval(%s, %s)", [sequence, start])
        cursor.execute(FIRST_EVENT, [start, start])
        cursor.execute(STAND_THERE, [start])
    yield start
    for partition in partitions.attached(_cursor()):
        raw.execute(f"DROP TABLE {partition.name}")


def _cursor() -> RawCursor[Any]:
    return RawCursor(django_connection())


def numbers(value: Any) -> list[int]:
    """List the JSON numbers of an answer."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for each in value for number in numbers(each)]
    return [value] if isinstance(value, int) and not isinstance(value, bool) else []


def shop() -> tuple[CheckedClient, dict[str, Any], str]:
    """Order, pay and credit over the API; give the client, the order and the last token."""
    client = staff()
    client.post(
        "/api/v1/products", {"sku": "mug", "name": "Mug", "category": "kitchen", "price": "2.5", "on_hand": 9}
    )
    address = {"country": "France", "name": "Ada", "street": "1 Rue A", "postcode": "75001", "city": "Paris"}
    order = client.post("/api/v1/orders", {"lines": [{"sku": "mug", "qty": 2}], "address": address}).json()
    path = f"/api/v1/orders/{order['order_id']}"
    paid = client.post(f"{path}/payments", {"amount": order["total"], "reference": "p"})
    assert paid.status_code == 200, paid.content
    credited = client.post(f"{path}/credit-notes", {"lines": [{"line_no": 1, "qty": 1}]})
    assert credited.status_code == 201, credited.content
    return client, order, credited.headers["Consistency-Token"]


def test_positions_stay_dense_and_everybody_gets_every_event(old_log: int) -> None:
    shop()
    assert drain() == 5
    assert [position for (position,) in rows("SELECT position FROM event_log ORDER BY 1")] == list(
        range(old_log, old_log + 6)
    )
    assert rows("SELECT DISTINCT max(to_position) FROM checkpoints GROUP BY subscriber") == [(old_log + 5,)]


def test_a_token_names_its_message_to_the_last_digit(old_log: int) -> None:
    client, order, token = shop()
    read = tokens.parse(token)
    assert isinstance(read, tokens.CommandToken)
    ((newest,),) = rows("SELECT max(message_id) FROM outbox")
    assert (read.message_id, read.head, newest) == (old_log + 5, old_log, old_log + 5)
    drain()
    assert history.position_of(read.message_id, read.head) == old_log + 5
    path = f"/api/v1/orders/{order['order_id']}"
    answer = client.get(path, headers={"Consistency-Token": token})
    assert answer.status_code == 200
    assert answer.json()["version"] == 3
    again = tokens.parse(tokens.sign(tokens.ReadToken(read.epoch, old_log + 5)))
    assert again == tokens.ReadToken(read.epoch, old_log + 5)


def test_no_answer_sends_a_number_that_javascript_would_round(old_log: int) -> None:
    client, order, _ = shop()
    drain()
    ((order_id,),) = rows("SELECT order_id FROM orders")
    assert order["order_id"] == str(order_id)
    for path in GETS:
        answer = client.get(f"/api/v1/{path}".format(order_id=order_id))
        assert answer.status_code == 200, (path, answer.content)
        assert all(abs(number) < 2**31 - 100 for number in numbers(answer.json())), path
    timeline = client.get(f"/api/v1/orders/{order_id}").json()["timeline"]
    assert [entry["position"] for entry in timeline] == [str(old_log + after) for after in (2, 3, 5)]


def test_pages_show_and_link_ids_to_the_last_digit(old_log: int) -> None:
    client, order, _ = shop()
    drain()
    client.force_login(User.objects.get(pk=client.user_id))
    for path in PAGES:
        page = client.get(path.format(order_id=order["order_id"]))
        assert page.status_code == 200, path
        if path.startswith("/orders/") and "new" not in path:
            assert order["order_id"] in page.content.decode(), path
    assert client.get(f"/orders/{int(order['order_id']) + 1}/").status_code == 404


def test_a_refusal_names_ids_as_strings(old_log: int) -> None:
    client, order, _ = shop()
    missing = str(int(order["order_id"]) + 1)
    answer = client.post(f"/api/v1/orders/{missing}/delivery", {})
    assert answer.json()["details"] == {"order_id": missing}


def test_partitions_of_such_positions_are_made_detached_and_attached(old_log: int) -> None:
    shop()
    drain()
    raw = django_connection()
    made = partitions.attached(_cursor())[1]
    assert (made.first, made.is_pending) == (old_log + 4, False)
    old = Partition(name=f"event_log_p{old_log - 9}", first=old_log - 9, beyond=old_log + 4)
    retention.detach(raw, old, 5)
    (found,) = partitions.detached(_cursor())
    assert found == old
    assert retention.pruned_up_to(raw) == old_log + 3
    raw.execute("DROP TABLE " + old.name)
