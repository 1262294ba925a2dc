"""One run: start the product, let clients and nemesis at it, wait until it is quiet, and check."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from . import history, snapshot
from .asking import Seen
from .checkers import answers, folds, identities, order, replays, views, webhooks
from .checkers.finding import Finding
from .handlers_client import SCOPE
from .history import UNKNOWN, History, Operation, Request
from .nemesis import Nemesis
from .product import RECEIVED, Cast, Product
from .schedule import HTTP_CLIENTS, Schedule
from .servers import manage, wait_until
from .web_client import ROUTES, Line, WebClient

LEAD_SECONDS = 1.0
LOOK_SECONDS = 0.25
QUIET_SECONDS = 90.0
REFRESH_SECONDS = 30.0
ASKED_AGAIN = (
    200  # of the answered operations, by chance; the stored answers of all are compared in the database
)

VIEWS = {
    "PlaceOrder": "orders", "ChargePayment": "payments", "ShipOrder": "shipment", "DeliverOrder": "delivery",
    "CancelOrder": "cancellation", "CreditOrder": "order_credit_notes", "RecordCreditNote": "credit_notes",
    "ListProduct": "products", "RepriceProduct": "price", "RestockProduct": "restocks", "RetireProduct": "retirement",
    "SetCreditLimit": "credit_limit",
}  # fmt: skip

Say = Callable[[str], None]


@dataclass(slots=True, kw_only=True)
class Result:
    """What a run came to."""

    findings: list[Finding] = field(default_factory=list)
    fired: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    events: int = 0
    requests: int = 0
    scheduled: int = 0
    quiet_seconds: float = 0.0

    @property
    def is_sound(self) -> bool:
        """Say whether nothing is wrong."""
        return not any(finding.wrong for finding in self.findings)


class Run:
    """A run in a folder, which keeps schedule, histories and logs."""

    def __init__(self, folder: Path, schedule: Schedule, mutant: str, say: Say) -> None:
        self.folder, self.schedule, self.say = folder, schedule, say
        self.product = Product(folder, mutant)
        self.result = Result()
        self.cast: Cast | None = None
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def go(self) -> Result:
        """Do all of it; whoever calls must `remove` afterwards, however this ends."""
        self.schedule.write(self.folder / "schedule.jsonl")
        self.say("Starting the servers and the product ...")
        self.cast = self.product.start(self.schedule.workload)
        self._torture()
        self._settle()
        self._check()
        return self.result

    def remove(self) -> None:
        """Leave nothing running; first the nemesis ends, which starts again what it kills."""
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self.product.remove()

    def _torture(self) -> None:
        """Let clients and nemesis at the product for the time of the schedule."""
        assert self.cast is not None
        begins_at, stopping, seen = time.time() + LEAD_SECONDS, self._stopping, Seen()
        written = History(self.folder / "history-web.jsonl")
        clients = [
            WebClient(
                str(number), who, self.schedule.steps[str(number)], lambda: self._line(written), seen, self.cast,
                begins_at, stopping,
            )
            for number, who in enumerate(HTTP_CLIENTS)
        ]  # fmt: skip
        nemesis = Nemesis(
            self.product, self.schedule.faults, begins_at, stopping, written, lambda: self._line(written)
        )
        direct = self.product.children.add(
            "handlers", *manage("torture_handlers", str(self.folder), f"--begins-at={begins_at}")
        )
        direct.is_meant_to_run = False
        self.say(f"Torturing for {self.schedule.seconds:g} s ...")
        self._threads = [*clients, nemesis]
        for thread in self._threads:
            thread.start()
        while time.time() < begins_at + self.schedule.seconds:
            time.sleep(LOOK_SECONDS)
            self.product.children.look()
        stopping.set()
        for thread in self._threads:
            thread.join()
        direct.stop()
        written.close()
        self._note(nemesis, [*clients, nemesis])

    def _note(self, nemesis: Nemesis, threads: Iterable[Any]) -> None:
        (self.folder / "nemesis.log").write_text("\n".join([*nemesis.log, ""]))
        for thread in threads:
            if thread.failure is not None:
                raise thread.failure
        self.result.fired, self.result.scheduled = nemesis.fired, len(self.schedule.faults)
        finding = Finding("every kind of fault fired")
        for kind in sorted({fault.kind for fault in self.schedule.faults}):
            finding.count(kind, nemesis.fired[kind])
            least = self.schedule.least_fired()
            finding.expect(
                nemesis.fired[kind] >= least, f"{kind} fired {nemesis.fired[kind]} times, not {least}"
            )
        self.result.findings.append(finding)

    def _line(self, written: History) -> Line:
        assert self.cast is not None
        return Line(self.product.web_port, self.cast, written)

    def _settle(self) -> None:
        """Wait until all is quiet, ask what is unknown once more under the same keys, and wait again."""
        self.say("Waiting until everything is delivered ...")
        began = time.monotonic()
        wait_until(self.product.is_ready, QUIET_SECONDS, "the web processes answer")
        self._until_quiet()
        self.result.quiet_seconds = time.monotonic() - began
        self.say(f"Quiet after {self.result.quiet_seconds:.1f} s. Asking again ...")
        self.operations = self._read()
        with self.product.servers.connect() as connection:
            self.before = snapshot.effects(connection)
        unknown = [each.request for each in self.operations.values() if each.outcome == UNKNOWN]
        answered = [each.request for each in self.operations.values() if each.kept]
        chosen = answered[:: max(1, len(answered) // ASKED_AGAIN)]
        self._ask("asked", [*unknown, *chosen])
        self._until_quiet()

    def _ask(self, name: str, requests: list[Request]) -> None:
        direct = self.folder / f"{name}.jsonl"
        direct.write_text(
            "".join(f"{json.dumps(history._fields(each))}\n" for each in requests if each.is_direct)
        )
        self.product.run(*manage("torture_handlers", str(self.folder), f"--ask={direct}"))
        written = History(self.folder / f"history-{name}-web.jsonl")
        line = self._line(written)
        for request in requests:
            if not request.is_direct:
                line.ask(request)
        line.close()
        written.close()

    def _until_quiet(self) -> None:
        with suppress(TimeoutError):  # the checks tell what is not delivered
            wait_until(self._is_quiet, QUIET_SECONDS, "everything is delivered")

    def _is_quiet(self) -> bool:
        self.product.children.look()
        try:
            with self.product.servers.connect() as connection:
                head = connection.execute("SELECT coalesce(max(position), 0) FROM event_log").fetchone()
                waiting = connection.execute("SELECT count(*) FROM outbox").fetchone()
                standing = connection.execute(snapshot.STANDING).fetchall()
                letters = connection.execute(snapshot.OPEN_LETTERS).rowcount
                failures = connection.execute("SELECT FROM delivery_failures").rowcount
        except psycopg.OperationalError:
            return False
        is_there = all(position == head[0] for *_, position in standing)  # type: ignore[index]
        return is_there and waiting == (0,) and not letters and not failures

    def _read(self, *names: str) -> dict[str, Operation]:
        chosen = names or ("web", "handlers")
        paths = [self.folder / f"history-{name}.jsonl" for name in chosen]
        return history.read(path for path in paths if path.exists())

    def _check(self) -> None:
        """Run every check and say what each found."""
        self.say("Checking ...")
        asked = self._read("asked-web", "asked-handlers")
        everything = self._read("web", "handlers", "asked-web", "asked-handlers")
        with self.product.servers.connect() as connection:
            found = snapshot.take(connection)
            folded = folds.one_pass(connection)
            refreshed = self._views(connection)
        processes = Finding("no process ended by itself, each stops when it is told to", {})
        processes.count("processes", len(self.product.children.by_name))
        processes.wrong += self.product.children.ended
        processes.wrong += [f"{name} did not stop in time" for name in self.product.end()]
        self.result.findings += [
            answers.unknown_decided(self.operations, asked, self.before),
            answers.effects_once(everything, found),
            answers.one_answer(everything, found, self._scopes(everything)),
            answers.changed_refused(everything),
            answers.no_failures(everything),
            order.log_in_order(found),
            order.delivered(found),
            identities.stock(found),
            identities.credit(found),
            identities.payments(found),
            replays.write_model(found),
            replays.read_models(found),
            folded,
            refreshed,
            webhooks.complete_and_in_order(found, webhooks.read(self.folder / RECEIVED)),
            processes,
        ]
        self.result.outcomes = Counter(each.outcome for each in self.operations.values())
        self.result.requests = sum(each.attempts for each in everything.values())
        self.result.events = len(found.log)

    def _views(self, connection: psycopg.Connection[Any]) -> Finding:
        """Have materialized views refreshed, which a worker may do at that moment, and compare them."""
        with suppress(TimeoutError):  # the check tells what is old
            wait_until(self._refreshes, REFRESH_SECONDS, "materialized views are refreshed")
        return views.as_defined(connection)

    def _refreshes(self) -> bool:
        with suppress(subprocess.CalledProcessError):
            self.product.run(*manage("refresh_views"))
            return True
        return False

    def _scopes(self, operations: Mapping[str, Operation]) -> dict[str, str]:
        assert self.cast is not None
        return {op: _scope(each.request, self.cast) for op, each in operations.items()}


def _scope(request: Request, cast: Cast) -> str:
    """Name the scope of a key as the API does."""
    if request.is_direct:
        return SCOPE
    method, _ = ROUTES[request.command]
    return f"user:{cast.users[request.who]} {method} api:{VIEWS[request.command]}"


def end_on_signal() -> None:
    """Let a signal end the run as Ctrl-C does, so that everything is stopped on the way out."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(128 + signal.SIGHUP))
