"""Commands at a steady rate, straight to the handlers, from a process of its own; Django must have been set up.

Makes its catalogue and customers, says `ready`, and goes on until its standard input is closed; then it says how many
commands were accepted.
"""

import os
import random
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

from orders_write.commands import (
    Address,
    CancelOrder,
    Command,
    ListProduct,
    OrderLine,
    PlaceOrder,
    SetCreditLimit,
    ShipOrder,
)
from orders_write.events import OrderPlaced
from orders_write.handlers import handle, handle_batch
from orders_write.models import User
from orders_write.requests import Request

PRODUCTS, CUSTOMERS = 200, 50
CATEGORIES = ("kitchen", "garden", "toys", "light")
COUNTRIES = ("France", "Germany", "United Kingdom")
PLACED, CANCELLED = 0.6, 0.2  # the rest is shipped


def main(rate: float) -> None:
    """Prepare, then send one command after the other, each at its time."""
    stopping = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stopping.set()), daemon=True).start()
    chance = random.Random(os.getpid())
    skus, users = _prepare()
    _say("ready")
    began, accepted = time.monotonic(), 0
    placed: list[int] = []
    for number, command in enumerate(_commands(chance, skus, users, placed)):
        if stopping.wait(max(began + number / rate - time.monotonic(), 0)):
            break
        outcome = handle(_request(command))
        accepted += outcome.refusal is None
        placed += [event.order_id for event in outcome.events if isinstance(event, OrderPlaced)]
    _say(str(accepted))


def _prepare() -> tuple[list[str], list[int]]:
    mark = uuid4().hex[:6]
    names = [f"{mark}-{number:03}" for number in range(max(PRODUCTS, CUSTOMERS))]
    users = [User.objects.create(username=name, customer_number=name).pk for name in names[:CUSTOMERS]]
    skus = names[:PRODUCTS]
    commands: list[Command] = [
        ListProduct(
            sku=sku,
            name=f"Product {sku}",
            category=CATEGORIES[number % len(CATEGORIES)],
            price=Decimal("2.50"),
            on_hand=10**7,
        )
        for number, sku in enumerate(skus)
    ]
    commands += [SetCreditLimit(user_id=user, limit=Decimal(10**8)) for user in users]
    handle_batch([_request(command) for command in commands])
    return skus, users


def _commands(
    chance: random.Random, skus: list[str], users: list[int], placed: list[int]
) -> Iterator[Command]:
    """Make up commands for ever: most place an order, the others ship or cancel one of those."""
    while True:
        if not placed or chance.random() < PLACED:
            lines = tuple(OrderLine(sku=sku, qty=chance.randint(1, 5)) for sku in chance.sample(skus, 3))
            yield PlaceOrder(
                user_id=chance.choice(users), lines=lines, address=_address(chance.choice(COUNTRIES))
            )
        elif chance.random() < CANCELLED:
            yield CancelOrder(order_id=placed.pop(chance.randrange(len(placed))), reason="a drill")
        else:
            yield ShipOrder(order_id=placed.pop(chance.randrange(len(placed))), carrier="a drill")


def _address(country: str) -> Address:
    return Address(country=country, name="A Name", street="1 Street", postcode="75001", city="Paris")


def _request(command: Command) -> Request:
    return Request(command=command, actor="drill", now=datetime.now(UTC))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
