"""Webhooks go to public addresses only, and to networks that the settings allow; names do not get around it."""

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from pytest_django import Settings

from outbox.exceptions import SubscriberUnavailable
from outbox.publishers.addresses import AddressRefused, allowed_addresses, check_url, is_allowed
from outbox.publishers.calls import Answer as Answered
from outbox.publishers.calls import Endpoint
from tests.webhook_receiver import Answer, WebhookReceiver

INSIDE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254",
    "ff02::1", "2001:db8::1", "2001::1", "2002:7f00:1::1", "100::1", "5f00::1", "64:ff9b:1::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
]  # fmt: skip
OUTSIDE = [
    "93.184.215.14",
    "8.8.8.8",
    "2606:2800:21f:cb07:6820:80da:af6b:8b2c",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]

BODY = b'{"type": "T", "data": {"aggregate_type": "a", "aggregate_id": "1", "aggregate_version": 1, "position": "1"}}'
HEADERS = {"webhook-id": "1"}

Resolve = Callable[..., None]


def post(url: str) -> Answered:
    """Post a webhook to an address."""
    with closing(Endpoint(url)) as endpoint:
        return endpoint.post(BODY, HEADERS)


@pytest.fixture(autouse=True)
def _nothing_is_allowed(settings: Settings) -> None:
    settings.OUTBOX = settings.OUTBOX | {"WEBHOOK_ALLOWED_NETWORKS": []}


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Give a function that says what a name means: at the first question, then at the second."""

    def mean(*answers: list[str]) -> None:
        coming: Iterator[list[str]] = iter(answers)

        def ask(host: str, port: int, *_: object, **__: object) -> list[tuple[Any, ...]]:
            found = [host] if host[0].isdigit() else next(coming)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

        monkeypatch.setattr(socket, "getaddrinfo", ask)

    return mean


@pytest.mark.parametrize("text", INSIDE)
def test_addresses_that_only_we_can_reach_are_refused(text: str) -> None:
    assert not is_allowed(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", OUTSIDE)
def test_public_addresses_are_allowed_but_not_for_plain_http(text: str) -> None:
    assert is_allowed(ipaddress.ip_address(text))
    assert not is_allowed(ipaddress.ip_address(text), plain=True)


def test_a_network_of_the_settings_is_allowed_also_when_written_as_ipv6(settings: Settings) -> None:
    settings.OUTBOX = settings.OUTBOX | {"WEBHOOK_ALLOWED_NETWORKS": ["10.1.0.0/16"]}
    assert is_allowed(ipaddress.ip_address("10.1.2.3"), plain=True)
    assert is_allowed(ipaddress.ip_address("::ffff:10.1.2.3"))
    assert not is_allowed(ipaddress.ip_address("10.2.0.1"))


def test_a_name_that_leads_inside_is_refused(resolve: Resolve) -> None:
    resolve(["10.0.0.1", "::1"])
    with pytest.raises(AddressRefused, match=r"hooks.example is at 10.0.0.1, ::1"):
        allowed_addresses("hooks.example", 443, 1, plain=False)


def test_of_a_name_with_many_addresses_only_the_public_ones_are_used(resolve: Resolve) -> None:
    resolve(["127.0.0.1", "8.8.8.8"])
    assert allowed_addresses("hooks.example", 443, 1, plain=False) == ["8.8.8.8"]


def test_a_name_that_changes_its_meaning_after_the_check_changes_nothing(
    resolve: Resolve, settings: Settings, receiver: WebhookReceiver
) -> None:
    # given a name that means an allowed address at the first question, and another one at the second
    settings.OUTBOX = settings.OUTBOX | {"WEBHOOK_ALLOWED_NETWORKS": ["127.0.0.1/32"]}
    resolve(["127.0.0.1"], ["127.0.0.2"])

    # when: a second question would fail the test, as nobody listens there
    answer = post(f"http://rebinding.example:{receiver.port}/hooks")

    # then the call went to the address that was checked, under the name
    assert answer.status == 204
    ((headers, _),) = receiver.requests
    assert headers["host"] == f"rebinding.example:{receiver.port}"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_every_way_to_write_this_machine_is_refused_when_connecting(
    receiver: WebhookReceiver, host: str
) -> None:
    with pytest.raises(AddressRefused):
        post(f"https://{host}:{receiver.port}/hooks")
    assert receiver.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(receiver: WebhookReceiver, settings: Settings, status: int) -> None:
    settings.OUTBOX = settings.OUTBOX | {"WEBHOOK_ALLOWED_NETWORKS": ["127.0.0.0/8"]}
    with WebhookReceiver() as inside:
        receiver.answer(Answer(status, (("Location", inside.url),)))
        assert post(receiver.url).status == status
        assert inside.requests == []


def test_a_resolver_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: asked.wait(10) and [])
    with pytest.raises(SubscriberUnavailable, match=r"not found in 0.05 s"):
        allowed_addresses("hooks.example", 443, 0.05, plain=False)
    asked.set()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("hooks.example", "begins with https"),
        ("ftp://hooks.example", "begins with https"),
        ("https://", "begins with https"),
        ("https://user:secret@hooks.example/", "name and password"),
        ("https://hooks.example/#part", "after #"),
        ("https://hooks.example/a b", "spaces"),
        ("https://hooks.example:99999/", "[Pp]ort"),
        ("https://hooks.example:0/", "no port"),
        (f"https://hooks.example/{'x' * 2000}", "2000"),
        ("http://hooks.example/", "Use https://"),
        ("https://127.0.0.1/", "no public address"),
        ("https://[::ffff:10.0.0.1]/", "no public address"),
        ("https://localhost/", "this machine"),
    ],
)
def test_an_address_that_will_not_do_is_refused_with_what_to_do(url: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        check_url(url)


@pytest.mark.parametrize(
    "url", ["https://hooks.example/a?b=c", "https://hooks.example:8443", "https://8.8.8.8/"]
)
def test_a_sound_address_is_taken(url: str) -> None:
    check_url(url)
