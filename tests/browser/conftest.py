"""A shop with some trade in it, served to a real browser while delivery goes on beside."""

import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import call_command
from pytest_django.live_server_helper import LiveServer

from orders_write.commands import (
    CancelOrder,
    ChargePayment,
    CreditNoteLine,
    DeliverOrder,
    ListProduct,
    RecordCreditNote,
    ShipOrder,
)
from orders_write.models import User
from outbox.delivery import drain
from outbox.engine import Engine
from tests.orders_write.shop import customer, do, wish

from .chromium import Browser, Page, install, installed, started

PASSWORD = "open sesame, but longer"
PRODUCTS = [
    ("85123A", "White hanging heart T-light holder", "candles", "2.55"),
    ("22423", "Regency cakestand, 3 tiers", "kitchen", "12.75"),
    ("84029E", "Red woolly hottie, white heart", "textiles", "3.39"),
    ("21791", "Vintage heads and tails card game", "games", "1.25"),
    ("22139", "Retro coffee mugs, assorted", "kitchen", "4.95"),
    ("PADS", "Pads to match all cushions", "textiles", "0.001"),
]
COUNTRIES = ("United Kingdom", "France", "EIRE", "Germany")


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Start the browser once; without one, skip loudly, and fail in CI."""
    program = installed() or install()
    if program is None:
        missing = "No Chromium is here (apt-get install chromium, or INSTALL_BROWSER=1 as root): no page was looked at."
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    with started(program, tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def delivering(database: None) -> Iterator[None]:
    """Deliver all the time, as a worker does."""
    stopping = threading.Event()

    def deliver() -> None:
        engine = Engine("tests: browser")
        while not stopping.wait(0.02):
            engine.drain(stopping.is_set)
        engine.close()

    thread = threading.Thread(target=deliver)
    thread.start()
    yield
    stopping.set()
    thread.join()


@pytest.fixture
def shop(delivering: None) -> Iterator["Shop"]:
    """Serve a month of trade; nobody has tried to log in yet."""
    cache.clear()
    trade()
    drain()
    call_command("refresh_views")
    server = LiveServer("127.0.0.1")
    yield Shop(server.url)
    server.stop()


class Shop:
    """Where the shop is, and how one gets in."""

    def __init__(self, url: str):
        self.url = url

    def log_in(self, page: Page, name: str) -> None:
        """Log in by the form."""
        page.go(f"{self.url}/login/")
        page.fill("#id_username", name)
        page.fill("#id_password", PASSWORD)
        page.press("main button")


def trade() -> None:
    """Let two customers and a guest buy for a month, and the shop do its work."""
    for sku, name, category, price in PRODUCTS:
        do(ListProduct(sku=sku, name=name, category=category, price=Decimal(price), on_hand=500))
    buyers = [_can_log_in(customer("ada", credit_limit="5000")), _can_log_in(customer("ben")), None]
    clerk = _can_log_in(User.objects.create(username="clerk", is_staff=True, is_superuser=True).pk)
    for number in range(36):
        _order(number, buyers[number % 3], f"user:{clerk}")


def _can_log_in(user_id: int) -> int:
    user = User.objects.get(pk=user_id)
    user.set_password(PASSWORD)
    user.save()
    return user_id


def _order(number: int, user_id: int | None, clerk: str) -> None:
    """Place one order and bring it as far as its number says."""
    now = datetime(2026, 3, 1, 9, tzinfo=UTC) + timedelta(days=number * 5 / 6, minutes=number * 7)
    lines = [
        (PRODUCTS[(number + step) % len(PRODUCTS)][0], 1 + (number * 5 + step) % 9)
        for step in range(1 + number % 4)
    ]
    home = {"country": COUNTRIES[number * number % len(COUNTRIES)]}
    placing = wish(user_id, *lines)
    address = {name: getattr(placing.address, name) for name in placing.address.__dataclass_fields__} | home
    placed: Any = do(
        wish(user_id, *lines, address=type(placing.address)(**address)), actor=f"user:{user_id}", now=now
    ).state
    asked = {"actor": clerk, "now": now + timedelta(hours=3)}
    if number % 6 == 5:
        do(CancelOrder(order_id=placed.order_id, reason="Ordered twice"), **asked)
        return
    if number % 6 in (1, 2, 3, 4):
        do(
            ChargePayment(
                order_id=placed.order_id, amount=placed.total, reference=f"R-{number}", method="card"
            ),
            **asked,
        )
    if number % 6 in (2, 3, 4):
        do(
            ShipOrder(order_id=placed.order_id, carrier="Royal Mail", tracking_number=f"RM{number:09}GB"),
            **asked,
        )
    if number % 6 in (3, 4):
        do(DeliverOrder(order_id=placed.order_id), **asked)
    if number % 6 == 4:
        line = placed.lines[0]
        back = CreditNoteLine(
            sku=line.sku, qty=1, price=line.price, order_id=placed.order_id, order_line_no=line.line_no
        )
        do(RecordCreditNote(user_id=user_id, lines=(back,), country=home["country"]), **asked)
