"""Clients over HTTP: each is somebody, follows its steps, retries under the same key, and sometimes hangs up."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from .asking import Seen, changed, request_of
from .history import OK, REFUSED, UNKNOWN, Answer, History, Request
from .product import Cast
from .schedule import Step

TIMEOUT_SECONDS = 5.0
IDLE_SECONDS = 1.0  # gunicorn closes a connection that was idle for two
ATTEMPTS = 6
FIRST_PAUSE_SECONDS = 0.1

ROUTES = {
    "PlaceOrder": ("POST", "/api/v1/orders{}"),
    "ChargePayment": ("POST", "/api/v1/orders/{}/payments"),
    "ShipOrder": ("POST", "/api/v1/orders/{}/shipment"),
    "DeliverOrder": ("POST", "/api/v1/orders/{}/delivery"),
    "CancelOrder": ("POST", "/api/v1/orders/{}/cancellation"),
    "CreditOrder": ("POST", "/api/v1/orders/{}/credit-notes"),
    "RecordCreditNote": ("POST", "/api/v1/credit-notes{}"),
    "ListProduct": ("POST", "/api/v1/products{}"),
    "RepriceProduct": ("PUT", "/api/v1/products/{}/price"),
    "RestockProduct": ("POST", "/api/v1/products/{}/restocks"),
    "RetireProduct": ("POST", "/api/v1/products/{}/retirement"),
    "SetCreditLimit": ("PUT", "/api/v1/customers/{}/credit-limit"),
}


class Line:
    """One connection to the web processes, opened when needed; every request on it is written into the history."""

    def __init__(self, port: int, cast: Cast, history: History) -> None:
        self._port = port
        self._cast = cast
        self._history = history
        self._connection: http.client.HTTPConnection | None = None
        self._used_at = 0.0

    def ask(self, request: Request) -> Answer:
        """Send a request and wait for its answer."""
        self._history.invoke(request)
        return self._history.complete(request, self._answer(request))

    def hang_up(self, request: Request, share: float) -> None:
        """Send the first part of a request, or all of it, and close the connection without listening."""
        self._history.invoke(request)
        method, path, body, headers = self._message(request)
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        text = (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n{head}\r\n{body}"
        )
        address = ("127.0.0.1", self._port)
        with suppress(OSError), socket.create_connection(address, TIMEOUT_SECONDS) as connection:
            connection.sendall(text.encode()[: max(1, round(share * len(text)))])
        self._history.complete(request, Answer(outcome=UNKNOWN, reason="hung up"))

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _answer(self, request: Request) -> Answer:
        method, path, body, headers = self._message(request)
        try:
            connection = self._opened()
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read().decode()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return Answer(outcome=UNKNOWN, reason=type(error).__name__)
        self._used_at = time.monotonic()
        outcome = OK if response.status < 300 else REFUSED if response.status < 500 else UNKNOWN
        replayed = response.headers.get("Idempotent-Replayed") == "true"
        return Answer(outcome=outcome, status=response.status, body=text, replayed=replayed)

    def _opened(self) -> http.client.HTTPConnection:
        if self._connection is None or time.monotonic() - self._used_at > IDLE_SECONDS:
            self.close()
            self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_SECONDS)
        return self._connection

    def _message(self, request: Request) -> tuple[str, str, str, dict[str, str]]:
        method, path = ROUTES[request.command]
        headers = {
            "Authorization": f"Token {self._cast.tokens[request.who]}",
            "Content-Type": "application/json",
            "Idempotency-Key": request.key,
            "X-Correlation-ID": request.op,
        }
        if request.version is not None:
            headers["If-Match"] = f'"v{request.version}"'
        return method, path.format(request.target), json.dumps(request.body), headers


class WebClient(threading.Thread):
    """One client: a thread that follows its steps until they, or the run, come to an end."""

    def __init__(
        self,
        name: str,
        who: str,
        steps: Sequence[Step],
        line: Callable[[], Line],
        seen: Seen,
        cast: Cast,
        begins_at: float,
        stopping: threading.Event,
    ) -> None:
        super().__init__(name=f"client {name}", daemon=True)
        self.client, self.who, self.steps = name, who, steps
        self.lines = (line(), line())
        self.seen, self.cast = seen, cast
        self.begins_at, self.stopping = begins_at, stopping
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Follow the steps."""
        try:
            for number, step in enumerate(self.steps):
                if self.stopping.wait(max(0.0, self.begins_at + step.at - time.time())):
                    break
                request = request_of(f"{self.client}-{number}", self.who, step, self.seen, self.cast)
                if request is not None:
                    self._carry_out(step, request)
        except BaseException as error:  # noqa: BLE001 – the run must know
            self.failure = error
        for line in self.lines:
            line.close()

    def _carry_out(self, step: Step, request: Request) -> None:
        match step.mode:
            case "twice":
                other = threading.Thread(target=self._once, args=(self.lines[1], request), daemon=True)
                other.start()
                self._until_known(request)
                other.join()
            case "cut":
                self.lines[1].hang_up(request, (step.aim % 100) / 100)
                self._until_known(request)
            case "abandoned":
                self.lines[1].hang_up(request, 1.0)
            case _:
                answer = self._until_known(request)
                self._again(step.mode, request, answer)

    def _again(self, mode: str, request: Request, answer: Answer) -> None:
        """Use the key once more: for the same, or for something else, which must be refused."""
        if mode == "again":
            self._until_known(request)
        other = changed(request) if mode == "changed" and answer.is_kept else None
        if other is not None:
            self._until_known(other)

    def _once(self, line: Line, request: Request) -> Answer:
        answer = line.ask(request)
        self.seen.take(request, answer)
        return answer

    def _until_known(self, request: Request) -> Answer:
        """Ask, and again under the same key while nothing is known, a few times."""
        pause_seconds = FIRST_PAUSE_SECONDS
        for _ in range(ATTEMPTS):
            answer = self._once(self.lines[0], request)
            if answer.outcome != UNKNOWN and answer.status != http.client.CONFLICT:
                break
            if self.stopping.wait(pause_seconds):
                break
            pause_seconds *= 2
        return answer


def ask_all(line: Line, requests: Sequence[Request]) -> list[Any]:
    """Ask a list of requests one after another."""
    return [line.ask(request) for request in requests]
