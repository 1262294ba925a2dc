"""The pages in a real browser: how they look, and that a reader gets through without JavaScript."""

import json
import time
from pathlib import Path

import pytest
from django.conf import settings

from .chromium import Page

pytestmark = [pytest.mark.service("chromium"), pytest.mark.usefixtures("database")]

SCREENSHOTS = Path(settings.BASE_DIR) / ".data" / "screenshots"
LOOKS = [
    ("light", 1280, "light"),
    ("dark", 1280, "dark"),
    ("380px", 380, "light"),
    ("380px-dark", 380, "dark"),
]
STAFF_PAGES = {
    "shop": "/",
    "orders": "/orders/",
    "orders-bad-filter": "/orders/?total_min=abc&placed_from=2026-03-02&placed_to=2026-03-01",
    "orders-none": "/orders/?q=zeppelin",
    "order-delivered": "/orders/?status=delivered",
    "order-confirmed": "/orders/?status=confirmed",
    "order-cancelled": "/orders/?status=cancelled",
    "customer": "/orders/?customer_number=N-ada",
    "new-order": "/orders/new/?q=heart",
    "products": "/products/",
    "overview": "/overview/",
    "revenue": "/revenue/",
    "revenue-country": "/revenue/?by=country",
    "revenue-year": "/revenue/?start=2025-04-01&end=2026-03-31&by=category",
}
CUSTOMER_PAGES = {"dashboard": "/", "my-orders": "/orders/", "my-new-order": "/orders/new/"}

# The lowest contrast of any text with what is painted behind it, and where; large text may have two thirds of it.
CONTRAST = """
(() => {
    const parts = text => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
        .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = element => {
        for (let e = element; e; e = e.parentElement) {
            const colour = parts(getComputedStyle(e).backgroundColor);
            if (colour.length < 4 || colour[3] > 0.99) return colour;
        }
        return [255, 255, 255];
    };
    let worst = {ratio: 21, text: ''};
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement, style = getComputedStyle(element);
        if (!walker.currentNode.data.trim() || !element.getClientRects().length || element.closest('option')) continue;
        const front = parts(element.closest('svg') ? style.fill : style.color);
        const [a, b] = [light(front), light(behind(element))].sort((x, y) => y - x);
        const large = parseFloat(style.fontSize) >= 24 || parseFloat(style.fontSize) >= 18.6 && style.fontWeight >= 700;
        const ratio = (a + 0.05) / (b + 0.05) * (large ? 1.5 : 1);
        if (ratio < worst.ratio) worst = {ratio, text: walker.currentNode.data.trim()};
    }
    return JSON.stringify(worst);
})()
"""
UNLABELLED = """
[...document.querySelectorAll('input:not([type=hidden]), select')].filter(e => !e.labels.length).map(e => e.name)
    .concat([...document.querySelectorAll('table')].filter(t => !t.caption).map(() => 'table'))
    .concat([...document.querySelectorAll('button, a')].filter(e => !e.textContent.trim()).map(e => e.outerHTML))
    .concat([...document.querySelectorAll('[id]')].map(e => e.id).filter((id, i, all) => all.indexOf(id) !== i))
    .join(' ')
"""
WIDER_THAN_THE_WINDOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def check(page: Page, name: str) -> None:
    """Look at a page that is loaded: nothing sticks out, is hard to read, has no name or was complained about."""
    assert page.evaluate(WIDER_THAN_THE_WINDOW) <= 0, f"{name} scrolls sideways"
    worst = json.loads(page.evaluate(CONTRAST))
    assert worst["ratio"] >= 4.5, f"{name}: {worst}"
    assert page.evaluate(UNLABELLED) == "", name
    assert page.evaluate("document.querySelectorAll('h1').length") == 1, name
    assert page.problems == [], name


@pytest.mark.parametrize(("look", "width", "scheme"), LOOKS, ids=[look for look, _, _ in LOOKS])
def test_every_page_fits_is_readable_and_complains_of_nothing(shop, chromium, look, width, scheme):
    page = chromium.open_page()
    page.look(width, scheme=scheme)
    page.go(f"{shop.url}/login/")
    check(page, "login")
    page.screenshot(SCREENSHOTS / look / "login.png")

    for name, pages in {"clerk": STAFF_PAGES, "ada": CUSTOMER_PAGES}.items():
        page = chromium.open_page()
        page.look(width, scheme=scheme)
        shop.log_in(page, name)
        for title, path in pages.items():
            page.go(shop.url + path)
            if title.startswith(("order-", "customer")):
                page.go(page.evaluate("document.querySelector('tbody a').href"))
            if title == "customer":
                page.go(page.evaluate("document.querySelector('a[href*=user_id]').href"))
            check(page, title)
            page.screenshot(SCREENSHOTS / look / f"{title}.png")


@pytest.mark.parametrize(("look", "width", "scheme"), LOOKS, ids=[look for look, _, _ in LOOKS])
def test_an_order_is_placed_paid_and_shipped_without_javascript(shop, chromium, look, width, scheme):
    customer, clerk = chromium.open_page(), chromium.open_page()
    for page, name in ((customer, "ben"), (clerk, "clerk")):
        page.look(width, scheme=scheme)
        page.do("Emulation.setScriptExecutionDisabled", value=True)
        shop.log_in(page, name)

    customer.go(f"{shop.url}/orders/new/")
    customer.fill("#new-q", "mugs")
    customer.press("button[value=search]")
    customer.press("button[name=add]")
    customer.fill("#new-sku", "85123A")
    customer.fill("#new-qty", "501")
    customer.press("button[value=add]")
    customer.fill("#new-street", "")
    customer.press("button[formaction]")
    check(customer, "refused")
    customer.screenshot(SCREENSHOTS / look / "new-order-refused.png")
    assert "There is not enough stock" not in text(customer)
    assert "This is needed to ship the order." in text(customer)

    customer.fill("#new-street", "12 Griff Lane")
    customer.press("button[formaction]")
    assert "There is not enough stock: " in text(customer)
    check(customer, "refused again")

    customer.fill("#line-2", "4")
    customer.press("button[formaction]")
    assert "Thank you, the order is placed." in text(customer)
    assert "12 Griff Lane" in text(customer)
    customer.press("#pay button")
    check(customer, "paid")
    customer.screenshot(SCREENSHOTS / look / "order-paid.png")
    assert "The payment is booked." in text(customer)

    clerk.go(customer.evaluate("location.href"))
    clerk.fill("#ship-carrier", "Royal Mail")
    clerk.press("#ship button")
    clerk.press("#deliver button")
    check(clerk, "delivered")
    clerk.screenshot(SCREENSHOTS / look / "order-way.png")
    assert "The order is delivered." in text(clerk)


def test_a_keyboard_reaches_the_content_first_and_shows_where_it_is(shop, chromium):
    page = chromium.open_page()
    page.look(1280)
    shop.log_in(page, "clerk")
    for kind in ("keyDown", "keyUp"):
        page.do("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)

    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_error_pages_look_like_the_others(shop, chromium):
    page = chromium.open_page()
    page.look(380, scheme="dark")
    shop.log_in(page, "ben")
    for name, path in {"404": "/orders/999999/", "403": "/revenue/", "400": "/orders/?after=x"}.items():
        page.go(shop.url + path)
        assert page.problems.pop().startswith("Failed to load resource"), name
        check(page, name)
        page.screenshot(SCREENSHOTS / "380px-dark" / f"{name}.png")


def test_the_documentation_and_the_admin_work_under_their_content_policy(shop, chromium):
    page = chromium.open_page()
    page.look(1280)
    shop.log_in(page, "clerk")
    for path in ("/admin/", "/admin/orders_write/order/", "/admin/orders_write/user/add/"):
        page.go(shop.url + path)
        assert [each for each in page.problems if "favicon.ico" not in each] == [], path

    page.problems.clear()
    page.go(f"{shop.url}/api/docs/")
    deadline = time.monotonic() + 10
    while not page.evaluate("document.querySelectorAll('.opblock').length") and time.monotonic() < deadline:
        time.sleep(0.1)

    assert page.evaluate("document.querySelectorAll('.opblock').length") > 10
    assert page.problems == []


def text(page: Page) -> str:
    """Return what stands on a page."""
    read: str = page.evaluate("document.body.innerText")
    return read
