"""Run the commands of a stream in batches: a batch is one transaction, a command has its own idempotency key."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson

from ..exceptions import NotFound, StillRunning, WriteError
from ..handlers import handle_batch
from ..idempotency import Answer, Key
from ..models import Order
from ..requests import Outcome, Request
from .records import Names, Record

# A connection that was killed holds its keys until the server notices.
PATIENCE_SECONDS = 30.0
PAUSE_SECONDS = 0.2

DONE = Answer(status=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a command was refused: the rule's name, its sentence, its details as JSON."""

    rule: str
    message: str
    details: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A line of the stream whose command was refused."""

    seq: int
    line: int
    type: str
    problem: Problem
    expect_reject: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one batch came to; `replayed` commands had run in an earlier import."""

    commands: int
    replayed: int
    refused: tuple[Refused, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """A stream as its commands are told apart from those of all others: by the file's digest and its source."""

    sha256: str
    source: str
    users: dict[str, int]
    batch: int

    def run(self, records: Iterable[Record]) -> Iterator[Step]:
        """Run the records and yield after each commit."""
        for batch in batches(records, self.batch):
            names = self._names(batch)
            problems = {record.seq: _unknown_order(record, names) for record in batch}
            known = [record for record in batch if problems[record.seq] is None]
            outcomes = run_requests([self._request(record, names) for record in known])
            problems |= {
                record.seq: problem_of(outcome) for record, outcome in zip(known, outcomes, strict=True)
            }
            yield Step(
                commands=len(batch),
                replayed=sum(outcome.replayed for outcome in outcomes),
                refused=tuple(_refused(record, found) for record in batch if (found := problems[record.seq])),
            )

    def _names(self, batch: Sequence[Record]) -> Names:
        references = {reference for record in batch if (reference := record.order) is not None}
        orders: dict[str, int] = {}
        if references:
            found = Order.objects.filter(source=self.source, reference__in=references)
            orders.update((order.reference or "", order.order_id) for order in found.only("reference"))
        return Names(users=self.users, orders=orders, source=self.source)

    def _request(self, record: Record, names: Names) -> Request:
        return Request(
            command=record.command(names),
            actor=f"import:{self.source}",
            now=record.occurred_at,
            key=Key(f"import:{self.sha256}", str(record.seq), sha256(record.text).digest()),
            render=answer_to,
        )


def batches(records: Iterable[Record], size: int) -> Iterator[list[Record]]:
    """Cut records into batches; a command that needs an order's key never stands in one batch with its placing."""
    batch: list[Record] = []
    placed: set[str] = set()
    for record in records:
        if len(batch) == size or record.order in placed:
            yield batch
            batch, placed = [], set()
        batch.append(record)
        if record.placed is not None:
            placed.add(record.placed)
    if batch:
        yield batch


def run_requests(requests: Sequence[Request]) -> list[Outcome]:
    """Run a batch of requests; waits a while for whoever is running one of them, then raises StillRunning."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return handle_batch(requests)
        except StillRunning:
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE_SECONDS)


def answer_to(outcome: Outcome) -> Answer:
    """Return what is stored under the key, so that a second run can tell again what was refused."""
    if outcome.refusal is None:
        return DONE
    problem = _problem(outcome.refusal)
    body = {"rule": problem.rule, "message": problem.message, "details": problem.details}
    return Answer(status=422, body=orjson.dumps(body).decode())


def problem_of(outcome: Outcome) -> Problem | None:
    """Return why a request was refused, now or the first time, or None when it was not."""
    if outcome.replayed:
        assert outcome.answer is not None
        return Problem(**orjson.loads(outcome.answer.body)) if outcome.answer.body else None
    return _problem(outcome.refusal) if outcome.refusal else None


def _problem(refusal: WriteError) -> Problem:
    details = orjson.loads(orjson.dumps(refusal.details, default=str))
    return Problem(rule=refusal.code, message=refusal.message, details=details)


def _unknown_order(record: Record, names: Names) -> Problem | None:
    if record.order is None or record.order in names.orders:
        return None
    return _problem(NotFound(order=record.order))


def _refused(record: Record, problem: Problem) -> Refused:
    return Refused(
        seq=record.seq,
        line=record.line,
        type=record.type,
        problem=problem,
        expect_reject=record.expect_reject,
    )
