"""Endpoints are managed in the admin, and deliveries are seen and repeated there."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from outbox.publishers.models import WebhookDelivery, WebhookEndpoint
from tests.outbox.publishers.conftest import Shop
from tests.webhook_receiver import TAKEN, Answer

ENDPOINTS = "admin:outbox_webhookendpoint_"
DELIVERIES = "admin:outbox_webhookdelivery_"


@pytest.fixture
def staff(shop: Shop) -> Client:
    """Give a client of a superuser."""
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root", password="secret"))
    return client


def act(client: Client, page: str, action: str, *rows: object, **said: object) -> "HttpResponse":
    """Run an action of a list on some rows, as after its page was filled in."""
    data = {"action": action, "_selected_action": rows, **({"run": "1"} | said)}
    response: HttpResponse = client.post(reverse(f"{page}changelist"), data, follow=True)
    assert response.status_code == 200
    return response


def text(response: "HttpResponse") -> str:
    return response.content.decode()


def new(client: Client, shop: Shop, **said: object) -> "HttpResponse":
    """Fill in the form of a new endpoint."""
    fields = {"subscriber": "shop", "url": shop.receiver.url, "partitions": "1", "event_types": ""}
    response: HttpResponse = client.post(reverse(f"{ENDPOINTS}add"), fields | said)
    return response


def test_a_new_endpoint_shows_its_secret_once_and_is_served(shop: Shop, staff: Client) -> None:
    assert staff.get(reverse(f"{ENDPOINTS}add")).status_code == 200
    page = text(new(staff, shop, event_types="ParcelMoved\nParcelLost", from_beginning="on"))

    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.secret in page
    assert endpoint.event_types == ["ParcelMoved", "ParcelLost"]
    for url in (reverse(f"{ENDPOINTS}changelist"), reverse(f"{ENDPOINTS}change", args=["shop"])):
        assert endpoint.secret not in text(staff.get(url))
    shop.log((1, 1))
    shop.deliver()
    assert shop.receiver.versions() == {1: [1]}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"url": "http://10.0.0.1/"}, "Use https://: 10.0.0.1"),
        ({"url": "https://10.0.0.1/"}, "10.0.0.1 is no public address"),
        ({"url": ""}, "This field is required"),
        ({"subscriber": "Shop 1"}, "small letters"),
        ({"partitions": "0"}, "greater than or equal to 1"),
    ],
)
def test_what_will_not_do_is_told_at_its_field(
    shop: Shop, staff: Client, said: dict[str, object], told: str
) -> None:
    page = text(new(staff, shop, **said))
    assert told in page
    assert not WebhookEndpoint.objects.exists()


def test_wishes_can_be_changed_and_the_name_cannot(shop: Shop, staff: Client) -> None:
    shop.endpoint()
    url = reverse(f"{ENDPOINTS}change", args=["shop"])
    fields = {"subscriber": "other", "url": shop.receiver.url, "event_types": "A, B", "description": "ours"}
    staff.post(url, fields)
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.subscriber, endpoint.event_types, endpoint.description) == ("shop", ["A", "B"], "ours")
    assert shop.world.ask("SELECT actor LIKE 'user:%', action FROM operator_actions ORDER BY action_id")[
        -1
    ] == (
        True,
        "change_webhook",
    )


def test_the_list_says_how_each_endpoint_does(shop: Shop, staff: Client) -> None:
    shop.endpoint()
    shop.log((1, 1))
    url = reverse(f"{ENDPOINTS}changelist")
    assert "enabled, breaker closed" in text(staff.get(url))
    shop.receiver.answer(Answer(503))
    shop.deliver()
    assert "breaker open after 1 failures: the endpoint answered 503" in text(staff.get(url))
    shop.let_time_pass()
    assert "breaker half-open" in text(staff.get(url))
    shop.receiver.answer(Answer(410))
    shop.deliver()
    assert "disabled: the endpoint answered 410 Gone" in text(staff.get(url))


def test_actions_ask_first(shop: Shop, staff: Client) -> None:
    shop.endpoint()
    for name in ("ping", "enable", "disable", "rotate"):
        response = staff.post(
            reverse(f"{ENDPOINTS}changelist"), {"action": name, "_selected_action": ["shop"]}
        )
        assert "1 chosen" in text(response)
    assert shop.receiver.seen == []


def test_a_test_event_tells_what_came_of_it(shop: Shop, staff: Client) -> None:
    shop.endpoint()
    assert "endpoint shop answered 204 in" in text(act(staff, ENDPOINTS, "ping", "shop"))
    shop.receiver.answer(Answer(401))
    assert "shop did not take it: the endpoint answered 401" in text(act(staff, ENDPOINTS, "ping", "shop"))


def test_endpoints_are_disabled_with_a_reason_and_enabled(shop: Shop, staff: Client) -> None:
    shop.endpoint()
    act(staff, ENDPOINTS, "disable", "shop", reason="too slow")
    assert shop.is_enabled() == (False, "too slow")
    act(staff, ENDPOINTS, "enable", "shop")
    assert shop.is_enabled() == (True, "")


def test_a_secret_can_be_replaced_and_shown_by_who_may(shop: Shop, staff: Client) -> None:
    old = shop.endpoint()
    assert old in text(act(staff, ENDPOINTS, "reveal", "shop"))
    page = text(act(staff, ENDPOINTS, "rotate", "shop", keep_hours="1"))
    assert WebhookEndpoint.objects.get().secret in page
    assert old not in page

    ada = get_user_model().objects.create_user("ada", password="secret", is_staff=True)
    ada.user_permissions.set(Permission.objects.filter(codename__endswith="_webhookendpoint"))
    client = Client()
    client.force_login(ada)
    page = text(act(client, ENDPOINTS, "reveal", "shop"))
    assert WebhookEndpoint.objects.get().secret not in page


def test_a_replay_says_how_much_it_sends_before_it_does(shop: Shop, staff: Client) -> None:
    shop.endpoint()
    shop.log((1, 1), (1, 2), (1, 3))
    shop.deliver()

    asked = text(act(staff, ENDPOINTS, "replay", "shop", from_position="2"))
    told = "This sends 2 events to shop once more."
    assert told in asked
    assert "The log ends at position 3" in text(act(staff, ENDPOINTS, "replay", "shop", from_position="9"))
    act(staff, ENDPOINTS, "replay", "shop", from_position="2", told=told)

    shop.deliver()
    assert shop.receiver.versions() == {1: [1, 2, 3, 2, 3]}


def test_deliveries_are_listed_and_repeated(shop: Shop, staff: Client) -> None:
    shop.endpoint()
    shop.receiver.answer(Answer(422))
    shop.log((1, 1))
    shop.deliver()
    page = text(
        staff.get(
            reverse(f"{DELIVERIES}changelist"),
            {"outcome__exact": "refused", "endpoint": "shop", "type": "ParcelMoved"},
        )
    )
    assert "the endpoint answered 422" in page
    nothing = text(staff.get(reverse(f"{DELIVERIES}changelist"), {"endpoint": "another"}))
    assert "0 webhook deliveries" in nothing
    delivery = WebhookDelivery.objects.get()
    assert "1 webhook delivery" in text(
        staff.get(reverse(f"{DELIVERIES}changelist"), {"q": str(delivery.event_id)})
    )

    shop.receiver.answer(TAKEN)
    assert "shop answered 204" in text(act(staff, DELIVERIES, "replay_delivery", delivery.pk))
    assert shop.receiver.versions() == {1: [1]}


def test_an_endpoint_is_removed_with_what_belongs_to_it(shop: Shop, staff: Client) -> None:
    shop.endpoint()
    shop.log((1, 1))
    shop.deliver()
    staff.post(reverse(f"{ENDPOINTS}delete", args=["shop"]), {"post": "yes"})
    assert not WebhookEndpoint.objects.exists()
    assert shop.world.ask("SELECT subscriber FROM publishers") == []
    assert WebhookDelivery.objects.count() == 1
