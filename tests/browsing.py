"""Clients of the pages, each logged in as somebody, and what they find on a page."""

import re
from html import unescape
from typing import Any

from django.test import Client

from orders_write.models import User
from tests.clients import shop_assistant

ADDRESS = {
    "name": "Mary Ann Evans",
    "street": "12 Griff Lane",
    "postcode": "CV10 7PL",
    "city": "Nuneaton",
    "country": "United Kingdom",
    "email": "",
}


def browser_of(user_id: int) -> Client:
    """Log a user in by session."""
    browser = Client()
    browser.force_login(User.objects.get(pk=user_id))
    browser.user_id = user_id
    return browser


def staff_browser(name: str = "clerk", **options: Any) -> Client:
    """Log somebody in who may run all commands of the shop's staff."""
    return browser_of(shop_assistant(name, **options).pk)


def text_of(response: Any) -> str:
    """Return what can be read on a page, with single spaces."""
    body = re.search(r"<main.*</main>", response.content.decode(), re.DOTALL)
    assert body, response.content
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body[0])).split())


def read(browser: Client, path: str, expected: int = 200, **parameters: Any) -> str:
    """Open a page and return its text."""
    response = browser.get(path, parameters)
    assert response.status_code == expected, response.content
    return text_of(response)


def place_by_form(browser: Client, *lines: tuple[str, Any], key: str = "", **changes: Any) -> Any:
    """Send the form of a new order."""
    lines = lines or (("mug", 2),)
    sent = {
        "sku": [sku for sku, _ in lines],
        "qty": [qty for _, qty in lines],
        "key": key,
        **ADDRESS,
        **changes,
    }
    return browser.post("/orders/new/place/", sent)
