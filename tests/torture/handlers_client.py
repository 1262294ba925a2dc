"""Clients that call the handlers without HTTP, in threads of one process; each has a database connection of its own."""

import threading
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import orjson
import psycopg
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from orders_write import commands
from orders_write.documents import document_of
from orders_write.exceptions import Refusal, WriteError
from orders_write.handlers import handle
from orders_write.idempotency import Answer as StoredAnswer
from orders_write.idempotency import Key
from orders_write.requests import Outcome
from orders_write.requests import Request as Wish
from orders_write.returns import credit_note_for

from .asking import NEWEST, Document, changed, request_of
from .history import DIRECT, OK, REFUSED, UNKNOWN, Answer, History, Request
from .product import Cast
from .schedule import Step

SCOPE = "torture direct"
ATTEMPTS = 6
STATUSES = {"KeyReused": 422, "StillRunning": 409, "NotFound": 404, "VersionConflict": 412}
NEWEST_ORDERS = f"""
SELECT order_id::text, user_id::text, version,
       (CASE status WHEN 'cancelled' THEN 0 ELSE total - paid - returned END)::text
  FROM orders ORDER BY order_id DESC LIMIT {NEWEST}
"""
LINES = "SELECT line_no FROM order_items WHERE order_id = %s ORDER BY line_no"
LISTED = "SELECT sku FROM products WHERE sku LIKE 'new-%%' ORDER BY product_id DESC LIMIT 20"


class InDatabase:
    """What can be aimed at: everybody's orders, as the database has them."""

    def order(self, aim: int, user_id: int | None) -> Document | None:
        """Pick one of the newest orders."""
        with connection.cursor() as cursor:
            cursor.execute(NEWEST_ORDERS)
            found = cursor.fetchall()
            if not found:
                return None
            order_id, owner, version, open_amount = found[aim % len(found)]
            cursor.execute(LINES, [order_id])
            lines = [{"line_no": line_no} for (line_no,) in cursor.fetchall()]
        named = {"order_id": order_id, "user_id": owner, "version": version}
        return named | {"open_amount": open_amount, "lines": lines}

    def listed(self, aim: int) -> str | None:
        """Pick one of the products that were listed during the run."""
        with connection.cursor() as cursor:
            cursor.execute(LISTED)
            found = cursor.fetchall()
        return found[aim % len(found)][0] if found else None


class HandlersClient(threading.Thread):
    """One client: a thread that follows its steps."""

    def __init__(
        self,
        name: str,
        steps: Sequence[Step],
        history: History,
        cast: Cast,
        begins_at: float,
        stopping: threading.Event,
    ) -> None:
        super().__init__(name=f"client {name}", daemon=True)
        self.client, self.steps, self.history, self.cast = name, steps, history, cast
        self.begins_at, self.stopping = begins_at, stopping

    def run(self) -> None:
        """Follow the steps."""
        for number, step in enumerate(self.steps):
            if self.stopping.wait(max(0.0, self.begins_at + step.at - time.time())):
                break
            try:
                request = request_of(f"{self.client}-{number}", DIRECT, step, InDatabase(), self.cast)
            except (psycopg.Error, DatabaseError, InterfaceError):
                connection.close()
                continue
            if request is not None:
                self._carry_out(step, request)
        connection.close()

    def _carry_out(self, step: Step, request: Request) -> None:
        if step.mode == "twice":
            other = threading.Thread(target=_in_thread, args=(self.history, request), daemon=True)
            other.start()
            self._until_known(request)
            other.join()
            return
        answer = self._until_known(request)
        if step.mode == "again":
            self._until_known(request)
        other_request = changed(request) if step.mode == "changed" and answer.is_kept else None
        if other_request is not None:
            self._until_known(other_request)

    def _until_known(self, request: Request) -> Answer:
        pause_seconds = 0.1
        for _ in range(ATTEMPTS):
            answer = ask(self.history, request)
            if answer.outcome != UNKNOWN and answer.status != STATUSES["StillRunning"]:
                break
            if self.stopping.wait(pause_seconds):
                break
            pause_seconds *= 2
        return answer


def ask(history: History, request: Request) -> Answer:
    """Carry a request out and write down what came of it."""
    history.invoke(request)
    return history.complete(request, _carried_out(request))


def _in_thread(history: History, request: Request) -> None:
    ask(history, request)
    connection.close()


def _carried_out(request: Request) -> Answer:
    try:
        outcome = handle(_wish(request))
    except WriteError as error:
        named = f"urn:orders:{error.code}"
        return Answer(outcome=REFUSED, status=STATUSES[error.code], body=f'{{"type": "{named}"}}')
    except (psycopg.Error, DatabaseError, InterfaceError) as error:
        connection.close()
        return Answer(outcome=UNKNOWN, reason=f"{type(error).__name__}: {error}"[:300])
    assert outcome.answer is not None
    told = OK if outcome.answer.status == 200 else REFUSED
    return Answer(
        outcome=told, status=outcome.answer.status, body=outcome.answer.body, replayed=outcome.replayed
    )


def _wish(request: Request) -> Wish:
    asked = orjson.dumps([request.command, request.target, request.body], option=orjson.OPT_SORT_KEYS)

    def render(outcome: Outcome) -> StoredAnswer:
        if isinstance(outcome.refusal, Refusal):
            return StoredAnswer(status=422, body=f'{{"rule": "{outcome.refusal.code}"}}')
        return StoredAnswer(status=200, body=orjson.dumps(document_of(outcome, wish)).decode())

    wish = Wish(
        command=_command(request),
        actor="torture",
        now=timezone.now(),
        key=Key(SCOPE, request.key, asked),
        expected_versions=None if request.version is None else (request.version,),
        correlation_id=request.op,
        render=render,
    )
    return wish


def _command(request: Request) -> Any:
    body = {name: _value(name, value) for name, value in request.body.items()}
    match request.command:
        case "PlaceOrder":
            lines = tuple(commands.OrderLine(**line) for line in body.pop("lines"))
            return commands.PlaceOrder(
                **body | {"lines": lines, "address": commands.Address(**body["address"])}
            )
        case "RecordCreditNote":
            credited = (
                {name: _value(name, value) for name, value in line.items()} for line in body.pop("lines")
            )
            return commands.RecordCreditNote(
                **body, lines=tuple(commands.CreditNoteLine(**line) for line in credited)
            )
        case "CreditOrder":
            lines = [{name: _value(name, value) for name, value in line.items()} for line in body["lines"]]
            return credit_note_for(int(request.target), lines, body["reason"], None)
        case "ListProduct":
            return commands.ListProduct(**body)
        case "RepriceProduct" | "RestockProduct" | "RetireProduct":
            return getattr(commands, request.command)(sku=request.target, **body)
        case "SetCreditLimit":
            return commands.SetCreditLimit(user_id=int(request.target), **body)
    return getattr(commands, request.command)(order_id=int(request.target), **body)


def _value(name: str, value: Any) -> Any:
    if name in ("price", "amount", "limit"):
        return Decimal(value)
    return int(value) if name == "user_id" and value is not None else value
