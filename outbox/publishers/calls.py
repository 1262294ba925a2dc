"""One HTTP call to an endpoint: to the very address that was checked, in bounded time, and never to anywhere else.

The connection is made to the address; host name, certificate and `Host` stay those of the endpoint. A redirect is an
answer like any other. Kept-alive connections are to checked addresses too.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

import urllib3
from urllib3.connection import HTTPConnection

from ..exceptions import SubscriberUnavailable
from ..options import options
from .addresses import allowed_addresses

MOST_ADDRESSES = 3
MOST_ANSWER_BYTES = 65_536
ANSWER_PART_BYTES = 8_192


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint answered; its body is read, within bounds, and thrown away."""

    status: int
    retry_after: str


class Endpoint:
    """A kept-alive connection to one URL, opened at the first call and again after it was lost."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._is_plain = parts.scheme == "http"
        self._host = parts.hostname or ""
        self._port = parts.port or (80 if self._is_plain else 443)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._host_header = parts.netloc
        self._connection: HTTPConnection | None = None

    def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a body and read the answer; raises SubscriberUnavailable when there is none in time."""
        ends_at = time.monotonic() + options().webhook_timeout_seconds
        connection, self._connection = self._standing() or self._connect(), None
        sent = {"Host": self._host_header, "User-Agent": "orders-webhooks/1", **headers}
        with _cut_at(connection.sock, ends_at) as cut:
            try:
                connection.request(
                    "POST", self._path, body=body, headers=sent, preload_content=False, decode_content=False
                )
                answer, may_stay = self._read(connection)
            except (
                OSError,
                urllib3.exceptions.HTTPError,
                urllib3.exceptions.HTTPWarning,
                ValueError,
            ) as error:
                connection.close()
                raise _no_answer(error, is_late=cut.is_set()) from error
            except BaseException:
                connection.close()
                raise
        if may_stay and not cut.is_set():
            self._connection = connection
        else:
            connection.close()
        return answer

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _standing(self) -> HTTPConnection | None:
        """Return the connection of the last call, unless the other side has closed it since."""
        if self._connection is not None and not self._connection.is_connected:
            self.close()
        return self._connection

    def _read(self, connection: HTTPConnection) -> tuple[Answer, bool]:
        response = connection.getresponse()
        read = 0
        while read <= MOST_ANSWER_BYTES and (part := response.read1(ANSWER_PART_BYTES)):
            read += len(part)
        may_stay = read <= MOST_ANSWER_BYTES and response.headers.get("Connection", "").lower() != "close"
        return Answer(response.status, response.headers.get("Retry-After", "")), may_stay

    def _connect(self) -> HTTPConnection:
        """Connect to the first of the allowed addresses that answers."""
        timeout_seconds = options().webhook_connect_timeout_seconds
        found = allowed_addresses(self._host, self._port, timeout_seconds, plain=self._is_plain)
        ends_at = time.monotonic() + timeout_seconds
        error: OSError | None = None
        for address in found[:MOST_ADDRESSES]:
            if ends_at <= time.monotonic():
                break
            try:
                return self._connect_to(address, ends_at)
            except OSError as failed:
                error = failed
        raise SubscriberUnavailable(f"no connection to {self._host}: {error or 'no time left'}") from error

    def _connect_to(self, address: str, ends_at: float) -> HTTPConnection:
        """Connect to an address, and make sure who is there: the certificate must be the host's."""
        connection = HTTPConnection(address, self._port, timeout=options().webhook_timeout_seconds)
        sock = socket.create_connection((address, self._port), timeout=_until(ends_at))
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if not self._is_plain:
                sock = certificates().wrap_socket(
                    sock, server_hostname=self._host.rstrip("."), do_handshake_on_connect=False
                )
                with _cut_at(sock, ends_at):
                    sock.do_handshake()
        except BaseException:
            sock.close()
            raise
        connection.sock = sock
        connection.auto_open = 0  # it must never connect by itself, unchecked and without TLS
        return connection


@lru_cache(maxsize=1)
def certificates() -> ssl.SSLContext:
    """Load the certificate authorities of the system, once."""
    return ssl.create_default_context()


def _no_answer(error: Exception, *, is_late: bool) -> SubscriberUnavailable:
    # The request was on its way: it may be this event over which the endpoint fell.
    if is_late or isinstance(error, TimeoutError | urllib3.exceptions.TimeoutError):
        return SubscriberUnavailable(
            f"no answer in {options().webhook_timeout_seconds:g} s", may_be_the_event=True
        )
    return SubscriberUnavailable(f"no answer: {error}", may_be_the_event=True)


def _until(ends_at: float) -> float:
    return max(ends_at - time.monotonic(), 0.001)


@contextlib.contextmanager
def _cut_at(sock: socket.socket | None, ends_at: float) -> Iterator[threading.Event]:
    """Cut the connection when the time is over: what trickles in keeps every single read in time."""
    assert sock is not None
    cut = threading.Event()

    def shut() -> None:
        cut.set()
        with contextlib.suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)

    timer = threading.Timer(_until(ends_at), shut)
    timer.daemon = True
    timer.start()
    try:
        yield cut
    finally:
        timer.cancel()
