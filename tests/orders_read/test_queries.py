"""Tests of the queries: set up through commands, asked through the door."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from orders_read import queries
from orders_read.queries import InvalidCursor, InvalidQuestion, OrderFilters
from orders_write.commands import (
    Address,
    CancelOrder,
    ChargePayment,
    CreditNoteLine,
    DeliverOrder,
    ListProduct,
    RecordCreditNote,
    RepriceProduct,
    RestockProduct,
    RetireProduct,
    ShipOrder,
)
from outbox.delivery import drain
from tests.orders_write.shop import NOON, customer, do, list_products, place, wish

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def shop(database):
    list_products("mug", "lamp", "Mug")


@pytest.fixture
def ada(shop):
    return customer("ada")


@pytest.fixture
def eve(shop):
    return customer("eve")


def ask(question, *arguments, **options):
    """Let all that happened be delivered, then ask."""
    drain()
    answer = question(*arguments, **options)
    return None if answer is None else json.loads(answer)


def found(filters=None, **options):
    page = ask(queries.orders, filters=filters or OrderFilters(), **options)
    return [int(order["order_id"]) for order in page["results"]]


def hits(q, **options):
    return [int(order["order_id"]) for order in ask(queries.search, q, **options)["results"]]


def pay(order, reference="p1"):
    do(ChargePayment(order_id=order.order_id, amount=order.open_amount, reference=reference))


def give_back(order, line_no, qty, price="2.5", **changes):
    line = order.lines[line_no - 1]
    back = CreditNoteLine(
        sku=line.sku, qty=qty, price=Decimal(price), order_id=order.order_id, order_line_no=line_no
    )
    outcome = do(RecordCreditNote(user_id=order.user_id, lines=(back,), country="France"), **changes)
    assert outcome.refusal is None


# One order


def test_an_order_tells_what_is_in_it_and_who_did_what_when(ada):
    order = place(ada, ("mug", 2), ("lamp", 1))
    pay(order)
    do(ShipOrder(order_id=order.order_id, carrier="DHL", tracking_number="X1"), actor="user:7")
    give_back(order, 1, 1)

    document = ask(queries.order_details, order.order_id)

    assert document["order_id"] == str(order.order_id)
    assert (document["status"], document["total"], document["paid"]) == ("shipped", "7.5000", "7.5000")
    assert (document["returned"], document["open_amount"]) == ("2.5000", "-2.5000")
    assert [line["returned"] for line in document["lines"]] == [1, 0]
    assert document["customer"]["name"] == "Ada"
    assert document["placed_at"] == "2026-03-01T12:00:00.000000Z"
    timeline = document["timeline"]
    assert [entry["event"] for entry in timeline] == [
        "OrderPlaced", "PaymentCharged", "OrderShipped", "ItemsReturned"
    ]  # fmt: skip
    assert [entry["version"] for entry in timeline] == [1, 2, 3, 4]
    assert document["version"] == 4
    assert (timeline[2]["by"], timeline[2]["carrier"], timeline[2]["tracking_number"]) == (
        "user:7",
        "DHL",
        "X1",
    )
    assert timeline[3]["lines"][0]["qty"] == 1


def test_an_order_of_another_customer_is_not_found(ada, eve):
    order = place(ada)

    assert ask(queries.order_details, order.order_id, user_id=eve) is None
    assert ask(queries.order_details, order.order_id, user_id=ada) is not None
    assert ask(queries.order_details, order.order_id + 1) is None


def test_an_order_without_personal_data_has_no_customer(ada):
    outcome = do(wish(ada, address=Address(country="France"), address_required=False))
    drain()

    customer_of = json.loads(queries.order_details(outcome.state.order_id))["customer"]

    assert not customer_of or not any(customer_of.values())


# Lists


def test_orders_come_newest_first_a_page_at_a_time(ada):
    placed = [do(wish(ada), now=NOON + timedelta(days=day)).state.order_id for day in (3, 1, 2, 2, 5)]
    newest_first = [placed[index] for index in (4, 0, 3, 2, 1)]

    pages, after = [], None
    while True:
        page = ask(queries.orders, after=after, limit=2)
        pages.append([int(order["order_id"]) for order in page["results"]])
        after = page["next"]
        if after is None:
            break

    assert pages == [newest_first[:2], newest_first[2:4], newest_first[4:]]


def test_a_list_shows_a_customer_their_own_orders_only(ada, eve):
    mine, theirs = place(ada), place(eve)
    guest = place(None)

    assert found(user_id=ada) == [mine.order_id]
    assert set(found()) == {mine.order_id, theirs.order_id, guest.order_id}
    assert hits("mug", user_id=eve) == [theirs.order_id]
    assert hits(str(mine.order_id), user_id=eve) == []


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"statuses": ("paid",)}, [1]),
        ({"statuses": ("paid", "cancelled")}, [2, 1]),
        ({"statuses": ("delivered",)}, []),
        ({"country": "Norway"}, [3]),
        ({"customer_number": "N-eve"}, [3]),
        ({"placed_from": date(2026, 3, 2), "placed_to": date(2026, 3, 2)}, [2]),
        ({"placed_from": date(2026, 3, 2)}, [3, 2]),
        ({"placed_to": date.max}, [3, 2, 1]),
        ({"total_min": Decimal("7.5")}, [3]),
        ({"total_max": Decimal("7.4999")}, [2, 1]),
        ({"q": "LAMP"}, [2]),
        ({"q": "mug", "statuses": ("confirmed",), "country": "Norway"}, [3]),
    ],
)
def test_filters_narrow_a_list(ada, eve, filters, expected):
    paid, cancelled = place(ada), do(wish(ada, ("lamp", 1)), now=NOON + timedelta(days=1)).state
    far = Address(country="Norway", name="Eve", street="1", postcode="1", city="Oslo")
    abroad = do(wish(eve, ("mug", 3), address=far), now=NOON + timedelta(days=2)).state
    pay(paid)
    do(CancelOrder(order_id=cancelled.order_id))
    numbers = {1: paid.order_id, 2: cancelled.order_id, 3: abroad.order_id}

    assert found(OrderFilters(**filters)) == [numbers[number] for number in expected]


def test_what_cannot_be_asked_is_refused(ada):
    with pytest.raises(InvalidQuestion, match="sent"):
        queries.orders(filters=OrderFilters(statuses=("sent",)))
    with pytest.raises(InvalidQuestion, match="week"):
        queries.daily_revenue(date(2026, 1, 1), date(2026, 1, 2), by="week")
    with pytest.raises(InvalidQuestion, match="colour"):
        queries.product_sales(order_by="colour")


@pytest.mark.parametrize("after", ["x", "1", "1-2-3", "999999999999999999-1", "1-x", "' OR 1=1 --"])
def test_a_cursor_that_no_page_gave_is_refused(ada, after):
    with pytest.raises(InvalidCursor):
        queries.orders(after=after)
    with pytest.raises(InvalidCursor):
        queries.search("mug", after=after)


# Search


@pytest.mark.parametrize(
    ("q", "is_hit"),
    [
        ("mug", True), ("MUG", True), ("mu", True), ("lamp mu", True), ("mug lam", True), ("Ada", True),
        ("75001 paris", True), ("R-2024", True), ("r 2024", True), ("N-ada", True), ("ada@example.org", True),
        ("mu lamp", False), ("vase", False), ("mug vase", False), ("ug", False), ("'; DROP TABLE users; --", False),
        ("mug & lamp | !", True), ("mug:*", True), ("%", False), ("", False), ("  ", False), ("\\", False),
    ],
)  # fmt: skip
def test_a_search_finds_all_words_and_the_beginning_of_the_last(ada, q, is_hit):
    order = do(wish(ada, ("mug", 1), ("lamp", 1), source="import", reference="R-2024/17")).state

    assert hits(q) == ([order.order_id] if is_hit else [])


def test_words_are_found_in_any_script(shop):
    address = Address(country="France", name="Zoë Ångström", street="1", postcode="1", city="ŁÓDŹ")
    order = do(wish(None, address=address)).state

    assert hits("zoë") == hits("ÅNGSTRÖM") == hits("łódź") == [order.order_id]
    assert hits("zoe") == []


def test_a_name_is_found_by_its_own_text_whatever_it_is(shop):
    names = ["हिन्दी कप", "½ m² N°5", "İstanbul", "a\\b'c\"d", "5% off", "e\u0301te\u0301", "ⅷ·٣"]
    for number, name in enumerate(names):
        do(_listed(f"s{number}", name=name))
        order = do(wish(None, (f"s{number}", 1))).state

        assert hits(name) == [order.order_id], name


def test_the_order_with_this_id_or_reference_comes_first(ada):
    orders = [do(wish(ada, source="import", reference=f"77{n}")).state.order_id for n in range(3)]
    exact = do(wish(ada, source="import", reference="77"), now=NOON - timedelta(days=9)).state.order_id

    assert hits("77") == [exact, *orders[::-1]]
    first = ask(queries.search, "77", limit=1)
    second = ask(queries.search, "77", limit=2, after=first["next"])
    third = ask(queries.search, "77", limit=2, after=second["next"])
    pages = [[int(order["order_id"]) for order in page["results"]] for page in (first, second, third)]
    assert pages == [[exact], orders[:0:-1], orders[:1]]
    assert third["next"] is None
    assert hits(str(orders[1]))[0] == orders[1]


# Dashboard


def test_a_dashboard_counts_what_happened_to_the_orders_of_a_user(ada, eve):
    paid, cancelled, confirmed = (
        place(ada, ("mug", 4)),
        place(ada, ("lamp", 1)),
        place(ada, ("mug", 1), ("lamp", 1)),
    )
    place(eve)
    pay(paid, "a")
    pay(cancelled, "b")
    do(ShipOrder(order_id=paid.order_id))
    do(DeliverOrder(order_id=paid.order_id))
    do(CancelOrder(order_id=cancelled.order_id))
    give_back(paid, 1, 1, price="2")

    board = ask(queries.user_dashboard, ada)

    assert board["customer_number"] == "N-ada"
    assert (board["orders"], board["lines"], board["units"]) == (3, 4, 7)
    assert (board["spent"], board["returned"], board["cancelled"], board["net"]) == (
        "17.5000", "2.0000", "2.5000", "13.0000"
    )  # fmt: skip
    assert (board["paid"], board["open_amount"]) == ("10.0000", "3.0000")  # 5 still to come, 2 to give back
    assert board["orders_by_status"] == {
        "confirmed": 1,
        "paid": 0,
        "shipped": 0,
        "delivered": 1,
        "cancelled": 1,
    }
    assert (board["credit_notes"], board["units_returned"]) == (1, 1)
    assert board["last_order_id"] == str(confirmed.order_id)
    assert board["credit_limit"] is None


def test_a_dashboard_shows_the_credit_limit(shop):
    user_id = customer("rich", credit_limit="500")

    assert ask(queries.user_dashboard, user_id)["credit_limit"] == "500.0000"


def test_a_customer_without_orders_has_a_dashboard_of_zeros(ada):
    board = ask(queries.user_dashboard, ada)

    assert board["user_id"] == str(ada)
    assert (board["orders"], board["spent"], board["net"], board["last_order_at"]) == (
        0,
        "0.0000",
        "0.0000",
        None,
    )


# Revenue


def test_revenue_counts_each_fact_on_its_own_day(ada):
    march = datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)
    sold = do(wish(ada, ("mug", 2), ("lamp", 1)), now=march).state
    cancelled = do(wish(ada, ("mug", 1)), now=march).state
    do(CancelOrder(order_id=cancelled.order_id), now=march + timedelta(seconds=1))
    give_back(sold, 1, 1, price="2", now=march + timedelta(days=1))

    days = ask(queries.daily_revenue, date(2026, 3, 1), date(2026, 4, 30))
    months = ask(queries.daily_revenue, date(2026, 3, 1), date(2026, 4, 30), by="month")

    counts = [
        (row["day"], row["orders"], row["credit_notes"], row["cancellations"]) for row in days["results"]
    ]
    assert counts == [("2026-03-31", 2, 0, 0), ("2026-04-01", 0, 1, 1)]
    assert [row["net"] for row in days["results"]] == ["10.0000", "-4.5000"]
    assert [(row["month"], row["gross"]) for row in months["results"]] == [
        ("2026-03", "10.0000"),
        ("2026-04", "0.0000"),
    ]
    assert days["total"] == months["total"]
    assert (days["total"]["orders"], days["total"]["net"]) == (2, "5.5000")


def test_an_order_of_two_categories_counts_once_a_day(ada):
    do(_listed("vase", category="garden"))
    place(ada, ("mug", 1), ("vase", 2))

    by_day = ask(queries.daily_revenue, NOON.date(), NOON.date())
    by_category = ask(queries.daily_revenue, NOON.date(), NOON.date(), by="category")
    by_country = ask(queries.daily_revenue, NOON.date(), NOON.date(), by="country")

    assert [row["orders"] for row in by_day["results"]] == [1]
    assert [(row["category"], row["gross"]) for row in by_category["results"]] == [
        ("garden", "5.0000"), ("kitchen", "2.5000")
    ]  # fmt: skip
    assert all("orders" not in row for row in by_category["results"])
    assert by_category["total"]["orders"] == 1
    assert [(row["country"], row["orders"]) for row in by_country["results"]] == [("France", 1)]


def test_a_time_without_trade_has_no_rows_and_zeros(ada):
    answer = ask(queries.daily_revenue, date(2020, 1, 1), date(2020, 1, 2))

    assert answer["results"] == []
    assert (answer["total"]["orders"], answer["total"]["net"]) == (0, "0.0000")


# Products


def test_products_come_by_what_they_sold(ada):
    order = place(ada, ("mug", 3), ("lamp", 1), ("Mug", 3))
    give_back(order, 1, 1)
    fee = CreditNoteLine(sku="FEE", qty=1, price=Decimal(9))
    do(RecordCreditNote(user_id=ada, lines=(fee,), country="France"))

    rows, after = [], None
    while True:
        page = ask(queries.product_sales, limit=1, after=after)
        rows += page["results"]
        after = page["next"]
        if after is None:
            break

    assert [(row["sku"], row["gross"]) for row in rows] == [
        ("Mug", "7.5000"), ("mug", "7.5000"), ("lamp", "2.5000"), ("FEE", "0.0000")
    ]  # fmt: skip
    assert (rows[1]["units"], rows[1]["units_returned"], rows[1]["net"]) == (3, 1, "5.0000")
    assert (rows[3]["name"], rows[3]["category"], rows[3]["returned"]) == ("FEE", "unlisted", "9.0000")
    by_units = ask(queries.product_sales, order_by="units_returned", limit=1)
    assert by_units["results"][0]["sku"] == "FEE"


def test_the_catalogue_shows_price_and_free_pieces(ada):
    order = place(ada, ("mug", 5))
    do(RepriceProduct(sku="mug", price=Decimal("3.001")))
    do(RestockProduct(sku="mug", qty=10))
    give_back(order, 1, 2)

    product = ask(queries.product, "mug")

    assert (product["price"], product["available"], product["retired"]) == ("3.0010", 100 - 5 + 10 + 2, False)
    do(CancelOrder(order_id=order.order_id))
    assert ask(queries.product, "mug")["available"] == 110
    assert ask(queries.product, "MUG") is None


def test_the_catalogue_is_searched_by_parts_of_words(shop):
    do(_listed("v_1", name="Vase 100% glass"))

    def skus(**options):
        return [row["sku"] for row in ask(queries.product_catalogue, **options)["results"]]

    assert skus() == ["Mug", "lamp", "mug", "v_1"]
    assert skus(q="VAS gla") == ["v_1"]
    assert skus(q="100%") == skus(q="v_") == ["v_1"]
    assert skus(q="%") == ["v_1"]
    assert skus(skus=["mug", "no"]) == ["mug"]
    assert skus(skus=[]) == []
    page = ask(queries.product_catalogue, limit=3)
    assert (page["next"], skus(after=page["next"])) == ("mug", ["v_1"])


def test_a_retired_product_is_shown_on_demand(shop):
    do(RetireProduct(sku="mug"))

    assert "mug" not in {row["sku"] for row in ask(queries.product_catalogue)["results"]}
    assert "mug" in {row["sku"] for row in ask(queries.product_catalogue, include_retired=True)["results"]}
    assert ask(queries.product, "mug")["retired"] is True


def _listed(sku, name="Vase", category="kitchen"):
    return ListProduct(sku=sku, name=name, category=category, price=Decimal("2.5"), on_hand=9)
