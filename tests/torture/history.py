"""What was asked and what came of it: a line when a request is sent, and a line when its outcome is known.

The outcome of a request is `ok`, `refused` or `unknown`: a time-out or a broken connection says nothing about whether
the command was carried out. All requests of an **operation** carry one idempotency key, and its
name as their correlation id.
"""

import json
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DIRECT = "direct"
OK, REFUSED, UNKNOWN = "ok", "refused", "unknown"
STORED_REFUSAL = 422
KEY_REUSED = "urn:orders:KeyReused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What an operation asks for, so that it can be asked again: by `who` over HTTP, or by the handlers (`direct`).

    `target` is the order, product or customer that the command is upon; `version` the one that it expects.
    `is_changed` says that the key belongs to another operation, whose body is another one.
    """

    op: str
    who: str
    command: str
    target: str
    body: dict[str, Any]
    key: str
    version: int | None = None
    is_changed: bool = False

    @property
    def is_direct(self) -> bool:
        """Say whether it goes through the handlers."""
        return self.who == DIRECT


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one request; `replayed` says that it is the answer of an earlier one under the key."""

    outcome: str
    status: int = 0
    body: str = ""
    replayed: bool = False
    reason: str = ""

    @property
    def is_kept(self) -> bool:
        """Say whether the answer is stored under the key: what was done, or what a rule refused."""
        return self.outcome == OK or (self.status == STORED_REFUSAL and KEY_REUSED not in self.body)

    def document(self) -> dict[str, Any]:
        """Read the body."""
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass(slots=True, kw_only=True)
class Operation:
    """One operation with all its answers, in the order in which they came."""

    request: Request
    attempts: int = 0
    answers: list[Answer] = field(default_factory=list)

    @property
    def kept(self) -> Answer | None:
        """Give the answer that is stored under the key, if one is known."""
        return next((answer for answer in self.answers if answer.is_kept), None)

    @property
    def outcome(self) -> str:
        """Sum up: a stored answer decides; without one, a single answer that is missing leaves it open."""
        if self.kept:
            return self.kept.outcome
        is_open = self.attempts > len(self.answers) or any(each.outcome == UNKNOWN for each in self.answers)
        return UNKNOWN if is_open or not self.answers else REFUSED


class History:
    """The history of one process, written as it happens."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)
        self._lock = threading.Lock()
        self.operations: dict[str, Operation] = {}

    def invoke(self, request: Request) -> None:
        """Write that a request is about to be sent."""
        with self._lock:
            operation = self.operations.get(request.op)
            if operation is None:
                operation = self.operations[request.op] = Operation(request=request)
                asked = _fields(request)
            else:
                asked = {"op": request.op}
            operation.attempts += 1
            self._write({"type": "invoke", "at": time.time()} | asked)

    def complete(self, request: Request, answer: Answer) -> Answer:
        """Write what came of it."""
        with self._lock:
            self.operations[request.op].answers.append(answer)
            self._write({"type": "complete", "at": time.time(), "op": request.op} | _fields(answer))
        return answer

    def finished(self) -> list[Request]:
        """List the requests of operations whose answer is stored."""
        with self._lock:
            return [each.request for each in self.operations.values() if each.kept]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, row: dict[str, Any]) -> None:
        self._file.write(f"{json.dumps(row)}\n")


def read(paths: Iterable[Path]) -> dict[str, Operation]:
    """Read histories, the earliest first; a line that a killed process left unfinished is not counted."""
    operations: dict[str, Operation] = {}
    for row in _rows(paths):
        kind = row.pop("type")
        row.pop("at")
        if kind == "invoke":
            if "command" in row:
                operations.setdefault(row["op"], Operation(request=Request(**row)))
            operations[row["op"]].attempts += 1
        else:
            operations[row.pop("op")].answers.append(Answer(**row))
    return operations


def _rows(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    for path in paths:
        for line in path.read_text().splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue


def _fields(one: Any) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__dataclass_fields__}
