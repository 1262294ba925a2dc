"""A server that receives webhooks: it checks signatures, writes down what it takes, and misbehaves when told to.

`python -m tests.webhook_receiver --port PORT --log FILE [--secret whsec_…]` serves until a signal comes, and adds one
JSON line for each webhook that it takes, on disk before it answers.
"""

import argparse
import json
import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


@dataclass(frozen=True)
class Received:
    """A webhook that was taken."""

    event_id: str
    event_type: str
    aggregate_type: str
    aggregate_id: str
    aggregate_version: int
    position: int


@dataclass(frozen=True)
class Answer:
    """How to answer: a status with headers, or not at all (`hang` until let go, `cut` the connection)."""

    status: int = 204
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    hang: bool = False
    cut: bool = False
    trickle: bool = False


TAKEN = Answer()
Choose = Callable[[dict[str, Any]], Answer]


class WebhookReceiver:
    """A server on a free port of this machine, in threads of this process.

    `choose` gets each webhook's body and says how to answer; it takes everything until told otherwise. With no secret
    signatures are not looked at. `taken` and `seen` (refused ones too) are in the order of arrival.
    """

    def __init__(
        self, secret: str = "", port: int = 0, log: Path | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.secrets = [secret] if secret else []
        self.choose: Choose = lambda _: TAKEN
        self.taken: list[Received] = []
        self.seen: list[Received] = []
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.unsigned = 0
        self.let_go = threading.Event()
        self._writing = threading.Lock()
        self._log = log.open("a") if log else None
        self._server = _Server(("127.0.0.1", port), type("Handler", (_Handler,), {"receiver": self}))
        self._is_tls = tls is not None
        if tls:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        if self._log:
            self._log.close()

    @property
    def port(self) -> int:
        """Name the port."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Name the address."""
        return f"{'https' if self._is_tls else 'http'}://127.0.0.1:{self.port}/hooks"

    def answer(self, answer: Answer) -> None:
        """Answer every webhook in one way from now on."""
        self.choose = lambda _: answer

    def ids(self) -> list[str]:
        """List the ids that were taken, in order."""
        with self._writing:
            return [received.event_id for received in self.taken]

    def versions(self) -> dict[int, list[int]]:
        """List the versions that were taken of each aggregate, in order."""
        found: dict[int, list[int]] = {}
        with self._writing:
            for received in self.taken:
                found.setdefault(int(received.aggregate_id), []).append(received.aggregate_version)
        return found

    def receive(self, headers: dict[str, str], content: bytes) -> Answer:
        """Check and write down one webhook, and say how to answer it."""
        body = json.loads(content)
        data = body["data"]
        received = Received(
            headers["webhook-id"],
            body["type"],
            data["aggregate_type"],
            data["aggregate_id"],
            data["aggregate_version"],
            int(data["position"]),
        )
        with self._writing:
            self.requests.append((headers, content))
            if not self._is_signed(headers, content):
                self.unsigned += 1
                return Answer(401)
            self.seen.append(received)
        answer = self.choose(body)
        if answer.status < 300 and not (answer.hang or answer.cut):
            with self._writing:
                self._write(received)
                self.taken.append(received)
        return answer

    def _is_signed(self, headers: dict[str, str], content: bytes) -> bool:
        for secret in self.secrets:
            with suppress(WebhookVerificationError):
                Webhook(secret).verify(content, headers)
                return True
        return not self.secrets

    def _write(self, received: Received) -> None:
        if self._log:
            self._log.write(json.dumps(vars(received)) + "\n")
            self._log.flush()
            os.fsync(self._log.fileno())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: connections are cut on purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    receiver: WebhookReceiver

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.receiver.receive(headers, content)
        if answer.hang:
            self.receiver.let_go.wait(60)
        if answer.hang or answer.cut:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self._send_body(answer)

    def _send_body(self, answer: Answer) -> None:
        if answer.trickle:
            self.send_header("Content-Length", "1000")
            self.end_headers()
            while not self.receiver.let_go.wait(0.05):
                self.wfile.write(b".")
            return
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m tests.webhook_receiver", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--secret", default="", help="check signatures with it")
    options = parser.parse_args()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with WebhookReceiver(options.secret, options.port, options.log) as receiver:
        print(receiver.url, flush=True)  # noqa: T201 – tells who started it the port
        while not stopping.is_set():
            time.sleep(0.1)


if __name__ == "__main__":
    main()
