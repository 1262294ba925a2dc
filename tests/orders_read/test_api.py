"""Tests of the questions over HTTP."""

import pytest

from outbox.delivery import drain
from tests.clients import anonymous, client_of, staff
from tests.orders_write.shop import customer, list_products, place

pytestmark = pytest.mark.usefixtures("database")

QUESTIONS = [
    "/api/v1/orders",
    "/api/v1/orders/1",
    "/api/v1/search?q=mug",
    "/api/v1/dashboard",
    "/api/v1/products",
    "/api/v1/products/mug",
]
STAFF_QUESTIONS = [
    "/api/v1/analytics/daily-revenue?from=2026-01-01&to=2026-12-31",
    "/api/v1/analytics/product-sales",
    "/api/v1/overview",
]


@pytest.fixture
def ada(database):
    list_products("mug", "lamp")
    return client_of(customer("ada"))


@pytest.fixture
def eve(ada):
    return client_of(customer("eve"))


@pytest.fixture
def clerk(ada):
    return staff()


def get(client, path, expected=200, **parameters):
    response = client.get(path, parameters or None)
    assert response.status_code == expected, response.content
    return response.json()


def ids(page):
    return [order["order_id"] for order in page["results"]]


def test_orders_are_listed_newest_first_a_page_at_a_time(ada):
    placed = [str(place(ada.user_id).order_id) for _ in range(5)]
    drain()

    first = get(ada, "/api/v1/orders", limit=3)
    second = get(ada, "/api/v1/orders", limit=3, after=first["next"])

    assert ids(first) + ids(second) == placed[::-1]
    assert second["next"] is None


def test_orders_are_filtered(ada):
    cheap, dear = place(ada.user_id, ("mug", 1)), place(ada.user_id, ("lamp", 20))
    drain()
    ada.post(f"/api/v1/orders/{cheap.order_id}/cancellation")
    drain()

    def found(**parameters):
        return ids(get(ada, "/api/v1/orders", **parameters))

    both = [str(dear.order_id), str(cheap.order_id)]
    assert found(status="cancelled") == [both[1]]
    assert found(status=["cancelled", "confirmed"]) == both
    assert found(total_min="10") == [both[0]]
    assert found(country="France") == both
    assert found(placed_from="2026-03-01", placed_to="2026-03-01") == both
    assert found(placed_from="2026-03-02") == []
    assert found(q="lamp") == [both[0]]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/v1/orders?colour=red", "colour"),
        ("/api/v1/orders?limit=0", "limit"),
        ("/api/v1/orders?limit=100000", "limit"),
        ("/api/v1/orders?limit=x", "limit"),
        ("/api/v1/orders?limit=1&limit=2", "limit"),
        ("/api/v1/orders?status=lost", "status"),
        ("/api/v1/orders?placed_from=yesterday", "placed_from"),
        ("/api/v1/orders?total_min=much", "total_min"),
        ("/api/v1/orders?after=nonsense", "after"),
        ("/api/v1/orders?after=999999999999999999-1", "after"),
        ("/api/v1/orders?country=a%00b", "country"),
        ("/api/v1/orders?user_id=1", "user_id"),
        ("/api/v1/orders/1?pretty=1", "pretty"),
        ("/api/v1/search", "q"),
        ("/api/v1/search?q=", "q"),
        ("/api/v1/search?q=%00", "q"),
        ("/api/v1/search?q=x&sort=1", "sort"),
        ("/api/v1/dashboard?user_id=x", "user_id"),
        ("/api/v1/dashboard?user_id=9223372036854775808", "user_id"),
        ("/api/v1/products?colour=red", "colour"),
        ("/api/v1/products?after=%00", "after"),
        ("/api/v1/products/mug?x=1", "x"),
        ("/api/v1/analytics/daily-revenue?to=2026-01-01", "from"),
        ("/api/v1/analytics/daily-revenue?from=2026-01-01", "to"),
        ("/api/v1/analytics/daily-revenue?from=2026-01-02&to=2026-01-01", "to"),
        ("/api/v1/analytics/daily-revenue?from=2026-01-01&to=2026-01-01&by=hour", "by"),
        ("/api/v1/analytics/product-sales?order_by=name", "order_by"),
        ("/api/v1/analytics/product-sales?after=nonsense", "after"),
        ("/api/v1/analytics/product-sales?after=NaN~mug", "after"),
        ("/api/v1/analytics/product-sales?after=Infinity~mug", "after"),
        ("/api/v1/analytics/product-sales?after=5", "after"),
        ("/api/v1/analytics/product-sales?after=1e9~mug", "after"),
        ("/api/v1/orders?format=json", "format"),
        ("/api/v1/overview?days=3", "days"),
    ],
)
def test_a_question_that_is_put_wrongly_is_refused_with_the_parameter(clerk, path, field):
    problem = get(clerk, path, 400)

    assert [error["field"] for error in problem["errors"]] == [field]


def test_an_order_is_shown_with_its_timeline(ada):
    order = place(ada.user_id)
    drain()

    document = get(ada, f"/api/v1/orders/{order.order_id}")

    assert document["timeline"][0]["event"] == "OrderPlaced"
    assert (document["total"], document["customer"]["name"]) == ("5.0000", "Ada")


@pytest.mark.parametrize(
    ("tags", "status"),
    [('"v1"', 304), ('W/"v1"', 304), ("*", 304), ('"v0", "v1"', 304), ('"v2"', 200), ("nonsense", 200)],
)
def test_an_order_that_is_known_already_is_not_sent_again(ada, tags, status):
    order = place(ada.user_id)
    drain()

    response = ada.get(f"/api/v1/orders/{order.order_id}", HTTP_IF_NONE_MATCH=tags)

    assert (response.status_code, response["ETag"]) == (status, '"v1"')
    assert (response.content == b"") == (status == 304)


@pytest.mark.parametrize("order_id", ["17", str(2**63), "9" * 40])
def test_an_order_that_does_not_exist(clerk, order_id):
    get(clerk, f"/api/v1/orders/{order_id}", 404)


@pytest.mark.parametrize("sku", ["nothing", "Mug", "m%00g", "%ff"])
def test_a_product_that_does_not_exist(clerk, sku):
    drain()

    get(clerk, f"/api/v1/products/{sku}", 404)


def test_products_are_listed(ada):
    drain()

    assert [product["sku"] for product in get(ada, "/api/v1/products")["results"]] == ["lamp", "mug"]
    assert [product["sku"] for product in get(ada, "/api/v1/products", q="mu")["results"]] == ["mug"]


def test_orders_are_found_by_words_id_and_reference(ada):
    order = place(ada.user_id, ("lamp", 1))
    place(ada.user_id)
    drain()

    assert ids(get(ada, "/api/v1/search", q="lamp")) == [str(order.order_id)]
    assert ids(get(ada, "/api/v1/search", q=str(order.order_id)))[0] == str(order.order_id)


def test_the_dashboard_sums_up(ada, clerk):
    place(ada.user_id)
    place(ada.user_id)
    drain()

    own = get(ada, "/api/v1/dashboard")

    assert (own["orders"], own["spent"]) == (2, "10.0000")
    assert get(ada, "/api/v1/dashboard", user_id=ada.user_id) == own
    assert get(clerk, "/api/v1/dashboard", user_id=ada.user_id) == own


@pytest.mark.parametrize("by", ["day", "month", "category", "country"])
def test_revenue_is_summed_by(ada, clerk, by):
    place(ada.user_id)
    drain()

    revenue = get(
        clerk, "/api/v1/analytics/daily-revenue", **{"from": "2026-03-01", "to": "2026-03-01", "by": by}
    )

    assert revenue["total"]["net"] == "5.0000"
    assert {"day": "2026-03-01", "month": "2026-03", "category": "kitchen", "country": "France"}[
        by
    ] == revenue["results"][0][by]


def test_sales_are_listed(ada, clerk):
    place(ada.user_id, ("lamp", 3))
    drain()

    page = get(clerk, "/api/v1/analytics/product-sales")

    assert (page["results"][0]["sku"], page["results"][0]["units"]) == ("lamp", 3)


# G10: who sees what.


@pytest.mark.parametrize("path", QUESTIONS + STAFF_QUESTIONS)
def test_a_stranger_sees_nothing(ada, path):
    get(anonymous(), path, 401)


@pytest.mark.parametrize("path", STAFF_QUESTIONS)
def test_analytics_are_for_staff(ada, clerk, path):
    get(ada, path, 403)
    get(clerk, path)


def test_a_customer_sees_only_their_own_orders(ada, eve, clerk):
    order = place(ada.user_id)
    guest = place(None)
    drain()
    path = f"/api/v1/orders/{order.order_id}"

    assert (
        ids(get(ada, "/api/v1/orders")) == ids(get(ada, "/api/v1/search", q="mug")) == [str(order.order_id)]
    )
    for question in ("/api/v1/orders", f"/api/v1/search?q={order.order_id}", "/api/v1/search?q=mug"):
        assert ids(get(eve, question)) == []
        assert len(ids(get(clerk, question))) >= 1
    get(eve, path, 404)
    get(eve, f"/api/v1/orders/{guest.order_id}", 404)
    assert eve.get(path, HTTP_IF_NONE_MATCH="*").status_code == 404
    get(eve, "/api/v1/dashboard", 404, user_id=ada.user_id)
    assert get(eve, "/api/v1/dashboard")["orders"] == 0
    get(clerk, path)


def test_answers_stay_with_the_one_who_asked(ada):
    response = ada.get("/api/v1/orders")

    assert response["Cache-Control"] == "private, no-cache"


def test_a_head_request_has_no_body(ada):
    response = ada.head("/api/v1/orders")

    assert (response.status_code, response.content) == (200, b"")


def test_only_json_is_answered(ada):
    assert ada.get("/api/v1/orders", HTTP_ACCEPT="text/html").status_code == 406
