"""A call to an endpoint ends in time whatever the endpoint does, reads little, and believes only its certificate."""

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from outbox.exceptions import SubscriberUnavailable
from outbox.publishers import calls
from outbox.publishers.calls import Endpoint
from tests.outbox.publishers.test_addresses import BODY, HEADERS
from tests.webhook_receiver import Answer, WebhookReceiver

CERTIFICATES = Path(__file__).parent / "certificates"
MOST_SECONDS = 3.0  # several times the time-out of these tests


@pytest.fixture
def tls_receiver() -> Iterator[WebhookReceiver]:
    """Give a receiver with the certificate of hooks.example."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "hooks.example.pem")
    with WebhookReceiver(tls=context) as server:
        yield server


@pytest.fixture
def _names_mean_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(host: str, port: int, *_: object, **__: object) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", ask)


@pytest.fixture
def _authority_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.create_default_context(cafile=CERTIFICATES / "authority.pem")
    monkeypatch.setattr(calls, "certificates", lambda: context)


@pytest.mark.parametrize(
    "answer", [Answer(hang=True), Answer(200, trickle=True), Answer(cut=True)], ids=["hang", "trickle", "cut"]
)
def test_no_answer_is_waited_for_longer_than_the_time_out(receiver: WebhookReceiver, answer: Answer) -> None:
    receiver.answer(answer)
    began = time.monotonic()
    with closing(Endpoint(receiver.url)) as endpoint, pytest.raises(SubscriberUnavailable) as told:
        endpoint.post(BODY, HEADERS)
    assert told.value.may_be_the_event
    assert time.monotonic() - began < MOST_SECONDS


def test_nobody_there_is_no_fault_of_the_event(settings: Settings) -> None:
    with WebhookReceiver() as gone:
        url = gone.url
    with (
        closing(Endpoint(url)) as endpoint,
        pytest.raises(SubscriberUnavailable, match="no connection") as told,
    ):
        endpoint.post(BODY, HEADERS)
    assert not told.value.may_be_the_event


def test_a_large_answer_is_not_read_to_its_end(
    receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "MOST_ANSWER_BYTES", 1_000)
    receiver.answer(Answer(200, body=b"x" * 10_000_000))
    with closing(Endpoint(receiver.url)) as endpoint:
        assert endpoint.post(BODY, HEADERS).status == 200
        assert endpoint.post(BODY, HEADERS).status == 200


def test_a_packed_answer_is_not_unpacked(receiver: WebhookReceiver) -> None:
    receiver.answer(Answer(200, (("Content-Encoding", "gzip"),), gzip.compress(b"x" * 100_000)[:50]))
    with closing(Endpoint(receiver.url)) as endpoint:
        assert endpoint.post(BODY, HEADERS).status == 200


def test_a_connection_is_used_again_and_replaced_when_the_other_side_has_closed_it(
    receiver: WebhookReceiver,
) -> None:
    with closing(Endpoint(receiver.url)) as endpoint:
        endpoint.post(BODY, HEADERS)
        kept = endpoint._connection
        endpoint.post(BODY, HEADERS)
        assert kept is not None
        assert endpoint._connection is kept
        receiver.answer(Answer(200, (("Connection", "close"),)))
        endpoint.post(BODY, HEADERS)
        assert endpoint._connection is None
        endpoint.post(BODY, HEADERS)
    assert len(receiver.requests) == 4


@pytest.mark.usefixtures("_names_mean_this_machine", "_authority_is_known")
def test_the_certificate_is_checked_for_the_name_though_the_call_goes_to_an_address(
    tls_receiver: WebhookReceiver,
) -> None:
    with closing(Endpoint(f"https://hooks.example:{tls_receiver.port}/hooks")) as endpoint:
        assert endpoint.post(BODY, HEADERS).status == 204
    ((headers, _),) = tls_receiver.requests
    assert headers["host"] == f"hooks.example:{tls_receiver.port}"

    with (
        closing(Endpoint(f"https://another.example:{tls_receiver.port}/hooks")) as endpoint,
        pytest.raises(SubscriberUnavailable, match="no connection to another"),
    ):
        endpoint.post(BODY, HEADERS)


@pytest.mark.usefixtures("_names_mean_this_machine")
def test_a_certificate_of_an_unknown_authority_is_not_believed(tls_receiver: WebhookReceiver) -> None:
    with (
        closing(Endpoint(f"https://hooks.example:{tls_receiver.port}/hooks")) as endpoint,
        pytest.raises(SubscriberUnavailable, match="certificate"),
    ):
        endpoint.post(BODY, HEADERS)
    assert tls_receiver.requests == []


@pytest.mark.usefixtures("_names_mean_this_machine")
def test_a_handshake_that_trickles_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    # given somebody who speaks TLS one byte at a time: each in time, and never to an end
    with socket.create_server(("127.0.0.1", 0)) as server:
        over = threading.Event()

        def trickle() -> None:
            taken, _ = server.accept()
            with taken, suppress(OSError):
                for byte in b"\x16\x03\x03\x3f\xff" + b"\x02" * 1_000:
                    taken.send(bytes([byte]))
                    if over.wait(0.1):
                        break

        speaker = threading.Thread(target=trickle)
        speaker.start()
        began = time.monotonic()

        # when
        with (
            closing(Endpoint(f"https://hooks.example:{server.getsockname()[1]}/")) as endpoint,
            pytest.raises(SubscriberUnavailable, match="no connection"),
        ):
            endpoint.post(BODY, HEADERS)

        # then
        assert time.monotonic() - began < MOST_SECONDS
        over.set()
        speaker.join()
