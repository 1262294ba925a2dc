"""Tests of the admin: rows to look at, and actions that are commands."""

import re
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group, Permission
from django.urls import reverse

from orders_write.commands import ChargePayment, CreditNoteLine, RecordCreditNote
from orders_write.models import CreditAccount, CreditNote, Order, Payment, Product, User
from tests.browsing import browser_of, staff_browser
from tests.clients import permit, shop_assistant
from tests.orders_write.shop import customer, do, list_products, place

pytestmark = pytest.mark.usefixtures("database")

VIEWS = ("view_order", "view_product", "view_user")
MODELS = [Order, Product, CreditAccount, Payment, CreditNote]


@pytest.fixture
def root(database):
    list_products("mug", "lamp")
    return staff_browser("root", is_superuser=True)


@pytest.fixture
def ada(root):
    return customer("ada", credit_limit="1000")


def address(model, page, *arguments):
    return reverse(f"admin:orders_write_{model._meta.model_name}_{page}", args=arguments)


def run(browser, model, action, *rows, **filled):
    """Run an action the way its form does, and return the list that follows, as text."""
    chosen = {"action": action, "_selected_action": [row.pk for row in rows]}
    asked = browser.post(address(model, "changelist"), chosen)
    assert b'name="run"' in asked.content
    response = browser.post(address(model, "changelist"), {**chosen, "run": "1", **filled}, follow=True)
    return response.content.decode()


@pytest.mark.parametrize("model", MODELS)
def test_rows_are_listed_and_shown_and_nothing_else(root, ada, model):
    order = place(ada)
    do(ChargePayment(order_id=order.order_id, amount=order.total, reference="R-1"))
    line = CreditNoteLine(sku="mug", qty=1, price=Decimal("2.5"), order_id=order.order_id, order_line_no=1)
    do(RecordCreditNote(user_id=ada, lines=(line,), country="France"))
    row = model.objects.first()

    assert root.get(address(model, "changelist")).status_code == 200
    assert root.get(address(model, "changelist"), {"q": "abc"}).status_code == 200
    assert root.get(address(model, "changelist"), {"q": "1"}).status_code == 200
    assert root.get(address(model, "change", row.pk)).status_code == 200
    assert root.post(address(model, "change", row.pk), {"status": "paid"}).status_code == 403
    assert root.get(address(model, "add")).status_code == 403
    assert root.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert "delete_selected" not in root.get(address(model, "changelist")).content.decode()


def test_an_order_shows_its_items_and_payments(root, ada):
    order = place(ada, ("mug", 2), ("lamp", 1))
    do(ChargePayment(order_id=order.order_id, amount=order.total, reference="R-1"))

    page = root.get(address(Order, "change", order.order_id)).content.decode()

    assert "<td>lamp</td><td>Lamp</td>" in page
    assert "R-1" in page


def test_lists_ask_the_same_number_of_statements_however_long_they_are(
    root, ada, django_assert_max_num_queries
):
    for _ in range(5):
        place(ada)

    with django_assert_max_num_queries(6):
        root.get(address(Order, "changelist"))


def test_orders_go_their_way_by_actions(root, ada):
    first, second = (Order.objects.get(pk=place(ada).order_id) for _ in range(2))

    assert "done for 2" in run(
        root, Order, "ship", first, second, carrier="Royal Mail", tracking_number="RM1"
    )
    assert "done for 1" in run(root, Order, "deliver", first)
    assert list(Order.objects.order_by("pk").values_list("status", flat=True)) == ["delivered", "shipped"]


def test_a_refusal_is_told_and_harms_no_other_row(root, ada):
    shipped, fresh = (Order.objects.get(pk=place(ada).order_id) for _ in range(2))
    run(root, Order, "ship", shipped)

    page = run(root, Order, "cancel", shipped, fresh, reason="Sold out")

    assert f"Order {shipped.pk}: The order is already shipped." in page
    assert "done for 1" in page
    assert Order.objects.get(pk=fresh.pk).status == "cancelled"


def test_products_are_repriced_restocked_and_retired(root):
    mug = Product.objects.get(sku="mug")

    run(root, Product, "reprice", mug, price="3.125")
    run(root, Product, "restock", mug, qty="20")
    run(root, Product, "retire", mug)

    mug = Product.objects.select_related("stock").get(sku="mug")
    assert (mug.price, mug.stock.on_hand, mug.retired) == (Decimal("3.125"), 120, True)


def test_what_was_filled_in_wrong_is_asked_again(root):
    page = run(root, Product, "reprice", Product.objects.get(sku="mug"), price="cheap")

    assert "Enter a number." in page
    assert Product.objects.get(sku="mug").price == Decimal("2.5")


def test_a_credit_limit_is_set_for_a_user(root):
    eve = User.objects.get(pk=customer("eve"))

    assert "done for 1" in run(root, User, "set_limit", eve, limit="250")
    assert CreditAccount.objects.get(user=eve).limit == 250


def test_who_may_only_look_has_no_actions(root, ada):
    viewer = User.objects.create(username="viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_order"))
    order = place(ada)
    browser = browser_of(viewer.pk)

    page = browser.get(address(Order, "changelist")).content.decode()
    browser.post(
        address(Order, "changelist"), {"action": "cancel", "_selected_action": [order.order_id], "run": "1"}
    )

    assert 'value="cancel"' not in page
    assert Order.objects.get().status == "confirmed"


@pytest.mark.parametrize(
    ("permission", "model", "actions"),
    [
        ("change_order", Order, {"ship", "deliver", "cancel"}),
        ("change_product", Product, {"reprice", "restock", "retire"}),
        ("change_creditaccount", User, {"set_limit"}),
    ],
)
def test_a_permission_shows_the_actions_of_its_aggregate(root, ada, permission, model, actions):
    place(ada)
    clerk = permit(User.objects.create(username="clerk", is_staff=True), permission, *VIEWS)
    browser = browser_of(clerk.pk)

    offered = {each: actions_of(browser.get(address(each, "changelist"))) for each in (Order, Product, User)}

    assert offered == {Order: set(), Product: set(), User: set()} | {model: actions}


def actions_of(response):
    return set(re.findall(r'<option value="(\w+)"', response.content.decode()))


def test_customers_do_not_get_in(ada):
    assert browser_of(ada).get(reverse("admin:index")).status_code == 302


def test_a_users_number_can_be_edited(root, ada):
    page = root.get(address(User, "change", ada)).content.decode()

    assert 'name="customer_number" value="N-ada"' in page


@pytest.fixture
def manager(root):
    """Log somebody in who may edit users, but is no superuser."""
    user = User.objects.create(username="manager", is_staff=True)
    return browser_of(permit(user, "view_user", "add_user", "change_user", "delete_user").pk)


RIGHTS = {"is_superuser": "on", "groups": ["1"], "user_permissions": ["1"]}
PROFILE = {"date_joined_0": "2026-01-01", "date_joined_1": "12:00:00", "is_active": "on"}


def test_who_edits_users_gives_no_rights(manager, ada):
    Group.objects.create(pk=1, name="all")
    rights = RIGHTS | {"user_permissions": [Permission.objects.first().pk]}

    for pk in (ada, manager.user_id):
        before = User.objects.get(pk=pk)
        sent = {"username": before.username, "first_name": "New", **PROFILE, **rights}
        sent |= {"is_staff": "on"}
        response = manager.post(address(User, "change", pk), sent)

        after = User.objects.get(pk=pk)
        assert response.status_code == 302
        assert (after.first_name, after.is_superuser, after.is_staff) == ("New", False, before.is_staff)
        assert after.get_all_permissions() == before.get_all_permissions()
        assert not after.groups.exists()


def test_a_superuser_gives_rights(root, ada):
    root.post(address(User, "change", ada), {"username": "ada", **PROFILE, "is_superuser": "on"})

    assert User.objects.get(pk=ada).is_superuser


@pytest.mark.parametrize(("name", "is_active"), [("root", True), ("clerk", True), ("clerk", False)])
def test_who_may_do_more_is_not_edited_nor_given_a_password(manager, name, is_active):
    shop_assistant("clerk")
    other = User.objects.get(username=name)
    User.objects.filter(pk=other.pk).update(is_active=is_active)
    password = reverse("admin:auth_user_password_change", args=[other.pk])

    refused = [
        manager.post(address(User, "change", other.pk), {"username": "taken", **PROFILE}),
        manager.post(password, {"password1": "a new 1 for me", "password2": "a new 1 for me"}),
        manager.post(address(User, "delete", other.pk), {"post": "yes"}),
    ]

    assert [each.status_code for each in refused] == [403] * 3
    assert User.objects.get(pk=other.pk).username == name
