"""The order that is placed everywhere: a customer, three lines of different products, an address, a key."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from itertools import count

import orjson
import psycopg
from django.db import connection

from orders_write.commands import Address, OrderLine, PlaceOrder
from orders_write.handlers import handle
from orders_write.idempotency import Key
from orders_write.requests import Outcome, Request

from . import database
from .naive import handlers as naive

ADDRESS = Address(country="France", name="A Name", street="1 Street", postcode="75001", city="Paris")
PRICE = Decimal("2.50")

# As little as the database can be asked for: one statement that saves the order, its lines, its message and its key.
LIMIT = """
WITH line AS MATERIALIZED (
    SELECT product_id, qty, line_no
      FROM products JOIN unnest(%(skus)s::text[], %(qtys)s::int[]) WITH ORDINALITY AS wish (sku, qty, line_no)
     USING (sku)
), locked AS MATERIALIZED (
    SELECT product_id FROM stock WHERE product_id IN (SELECT product_id FROM line)
     ORDER BY product_id FOR NO KEY UPDATE
), identity AS MATERIALIZED (
    SELECT nextval('orders_order_id_seq') AS order_id FROM (SELECT count(*) FROM locked) AS all_locked
), message AS (
    INSERT INTO outbox (event_id, event_type, schema_version, aggregate_type, aggregate_id, aggregate_version, payload,
        metadata, occurred_at)
    SELECT gen_random_uuid(), 'OrderPlaced', 1, 'order', order_id, 1, %(payload)s::jsonb, '{"actor": "limit"}', now()
      FROM identity RETURNING message_id, aggregate_id
), placed AS (
    INSERT INTO orders (order_id, user_id, source, status, total, paid, returned, currency, on_credit, created_at,
        ship_name, ship_street, ship_postcode, ship_city, ship_country, ship_email, version, last_message_id)
    SELECT aggregate_id, %(user_id)s, 'limit', 'confirmed', %(total)s, 0, 0, 'GBP', false, now(),
        'A Name', '1 Street', '75001', 'Paris', 'France', '', 1, message_id FROM message
), items AS (
    INSERT INTO order_items (order_id, line_no, product_id, qty, price, returned_qty)
    SELECT order_id, line_no, product_id, qty, 2.5, 0 FROM identity, line
), moved AS (
    UPDATE stock SET reserved = reserved + line.qty FROM line WHERE stock.product_id = line.product_id
)
INSERT INTO idempotency_keys (scope, key, fingerprint, status, headers, body)
VALUES ('limit', %(key)s, %(fingerprint)s, 200, '{}', '')
"""


class Shop:
    """Makes up orders in one process; no two processes make up the same."""

    def __init__(self, number: int) -> None:
        self.random = random.Random(number)
        self.number = number
        self.orders = count()
        self.skus = database.skus()
        self.users = database.users()

    def wishes(self) -> list[tuple[str, int]]:
        """Choose three products and how many of each."""
        return [(sku, self.random.randint(1, 5)) for sku in self.random.sample(self.skus, 3)]

    def user(self) -> int:
        """Choose a customer."""
        return self.random.choice(self.users)

    def name(self) -> str:
        """Make up a name that no other order has."""
        return f"{self.number}-{next(self.orders)}"

    def request(self) -> Request:
        """Ask for an order as the API does: with a key and an answer to store."""
        name = self.name()
        command = PlaceOrder(
            user_id=self.user(),
            lines=tuple(OrderLine(sku=sku, qty=qty) for sku, qty in self.wishes()),
            address=ADDRESS,
        )
        key = Key("benchmark", name, sha256(name.encode()).digest())
        return Request(command=command, actor="benchmark", now=datetime.now(UTC), key=key)

    def place(self) -> Outcome:
        """Place one order."""
        outcome = handle(self.request())
        assert outcome.refusal is None
        return outcome


def by_handler(number: int) -> Callable[[], object]:
    """Place orders through the command handler."""
    return Shop(number).place


def by_naive_handler(number: int) -> Callable[[], object]:
    """Place orders through the naive twin."""
    shop = Shop(number)

    def place() -> None:
        lines = [naive.Line(line_no, sku, qty, PRICE) for line_no, (sku, qty) in enumerate(shop.wishes(), 1)]
        name = shop.name()
        naive.place_order(name, shop.user(), name, "France", lines, datetime.now(UTC))

    return place


def by_one_statement(number: int) -> Callable[[], object]:
    """Place orders by the one statement that is the limit, prepared, without any rule or answer."""
    shop = Shop(number)
    connection.ensure_connection()
    cursor = psycopg.Cursor(connection.connection)
    line = {"sku": "sku-0001", "name": "Product sku-0001", "category": "toys", "qty": 2, "price": "2.5000"}
    payload = orjson.dumps(
        {"country": "France", "lines": [line | {"line_no": number} for number in (1, 2, 3)]}
    ).decode()

    def place() -> None:
        wishes, name = shop.wishes(), shop.name()
        values = {
            "skus": [sku for sku, _ in wishes],
            "qtys": [qty for _, qty in wishes],
            "user_id": shop.user(),
            "total": PRICE * sum(qty for _, qty in wishes),
            "payload": payload,
            "key": name,
            "fingerprint": sha256(name.encode()).digest(),
        }
        cursor.execute(LIMIT, values, prepare=True)

    return place
