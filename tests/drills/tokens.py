"""A drill of consistency tokens: who reads by the token of their write never sees older data, whatever stands still.

Writes and reads in pairs over every question under steady commands; then with the workers stopped, and with every read
model paused, where only a 503 will do; and at the end each of those tokens is good.
"""

import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from statistics import median, quantiles

from tests.drills.stage import Stage
from tests.drills.token_client import QUESTIONS, Answer, Client, Written, shows
from tests.torture.servers import BASE_DIR

CLIENTS, PAIRS_A_SECOND, OTHER_COMMANDS_A_SECOND = 4, 50, 150
HELD_PAIRS = 2 * len(QUESTIONS)
PATIENCE_SECONDS = 60.0
AT_ONCE_SECONDS = 2.0
MAKE_SHOP = (
    "import sys, django; django.setup(); from tests.drills import token_shop; "
    "token_shop.main(int(sys.argv[1]))"
)
READ_MODELS = "SELECT DISTINCT projection FROM projection_generations WHERE state = 'live' ORDER BY 1"


@dataclass(slots=True)
class Findings:
    """What all clients found together."""

    with_token: list[float] = field(default_factory=list)
    without: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, what: str, wrong: str = "") -> None:
        """Count an answer, and keep what is wrong with it."""
        with self.lock:
            self.answers[what] += 1
            if wrong:
                self.wrong.append(wrong)


def tokens(seconds: float) -> int:
    """Run the pairs for so long, then stop the workers, then pause the read models; the last line is the figures."""
    with Stage(web=True) as stage:
        clients = _clients(stage)
        stage.start_commands(OTHER_COMMANDS_A_SECOND)
        found = Findings()
        began = time.monotonic()
        _together(clients, lambda client: _write_and_read(client, seconds, found))
        took = time.monotonic() - began
        with _stopped(stage):
            stopped = _held(clients, found, {"behind", "busy"})
        _seen_at_last(stopped, found)
        with _paused(stage):
            paused = _held(clients, found, {"paused"})
        _seen_at_last(paused, found)
        others = stage.stop_commands()
    for wrong in found.wrong[:20]:
        print(wrong[:300])
    pairs = len(found.with_token)
    print(
        f"{'WRONG' if found.wrong else 'sound'}: {pairs} pairs over {len(QUESTIONS)} questions at "
        f"{pairs / took:.0f}/s beside {others} other commands; {len(found.wrong)} wrong; reads with a token p50/p99 "
        f"{_figures(found.with_token)} ms, the same without {_figures(found.without)} ms; {dict(found.answers)}"
    )
    return 1 if found.wrong or not pairs else 0


def _clients(stage: Stage) -> list[Client]:
    made = subprocess.run(
        [sys.executable, "-c", MAKE_SHOP, str(CLIENTS)],
        env=stage.product.environment,
        cwd=BASE_DIR,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [Client(stage.product.web_port, **each) for each in json.loads(made.stdout)]


def _together(clients: Sequence[Client], act: Callable[[Client], None]) -> None:
    failures: list[BaseException] = []

    def run(client: Client) -> None:
        try:
            act(client)
        except BaseException as error:  # noqa: BLE001 – told by the thread that waits
            failures.append(error)

    threads = [threading.Thread(target=run, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def _write_and_read(client: Client, seconds: float, found: Findings) -> None:
    """Write and read by its token, one question after the other, each pair at its time."""
    began = time.monotonic()
    for number, question in enumerate(cycle(QUESTIONS)):
        due = number * CLIENTS / PAIRS_A_SECOND
        if due > seconds or time.monotonic() - began > 4 * seconds:
            return
        time.sleep(max(0.0, began + due - time.monotonic()))
        written = client.write(question)
        answer = client.read(question, written, Consistency_Token=written.token)
        _judge(client, question, written, answer, found)
        plain = client.read(question, written)
        with found.lock:
            found.with_token.append(answer.seconds)
            found.without.append(plain.seconds)


def _judge(client: Client, question: str, written: Written, answer: Answer, found: Findings) -> None:
    """See that an answer shows the write, or says that it cannot yet."""
    if answer.status == 503:
        found.note(f"503 {answer.body['details']['reason']}")
    elif shows(client, question, written, answer):
        found.note("fresh")
    else:
        found.note("STALE", f"{question} with a token: {answer.status} {answer.body} does not show {written}")


Held = list[tuple[Client, str, Written]]


def _held(clients: Sequence[Client], found: Findings, reasons: set[str]) -> Held:
    """Write, and see that every question says at once that it cannot show it; the lenient get what there is."""
    held: Held = []

    def act(client: Client) -> None:
        for question in islice(cycle(QUESTIONS), HELD_PAIRS):
            written = client.write(question)
            held.append((client, question, written))
            answer = client.read(question, written, Consistency_Token=written.token, Prefer="wait=1")
            reason = answer.body["details"]["reason"] if answer.status == 503 else f"{answer.status}"
            is_right = reason in reasons and answer.seconds < 1 + AT_ONCE_SECONDS
            found.note(
                f"503 {reason}", "" if is_right else f"{question} held: {reason}, {answer.seconds:.1f} s"
            )
            lenient = client.read(
                question, written, Consistency_Token=written.token, Prefer="wait=0, handling=lenient"
            )
            is_told = lenient.status in (200, 404) and lenient.headers["Read-Model-Stale"] == "true"
            found.note("lenient", "" if is_told else f"{question} lenient: {lenient.status} without a word")

    _together(clients, act)
    return held


def _seen_at_last(held: Held, found: Findings) -> None:
    """Ask again by the same tokens, now that nothing stands still; prices may have changed since."""
    newest = {(client.sku, question): (client, question, written) for client, question, written in held}
    deadline = time.monotonic() + PATIENCE_SECONDS
    for client, question, written in newest.values():
        answer = client.read(question, written, Consistency_Token=written.token, Prefer="wait=10")
        while answer.status == 503 and time.monotonic() < deadline:
            answer = client.read(question, written, Consistency_Token=written.token, Prefer="wait=10")
        is_shown = answer.status == 200 and (
            question in ("products", "product") or shows(client, question, written, answer)
        )
        found.note("fresh at last", "" if is_shown else f"{question} at last: {answer.status} {answer.body}")


@contextmanager
def _stopped(stage: Stage) -> Iterator[None]:
    """Let the workers stand still, so that nothing is relayed or delivered."""
    workers = stage.product.children.named("worker")
    for worker in workers:
        worker.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for worker in workers:
            worker.signal(signal.SIGCONT)


@contextmanager
def _paused(stage: Stage) -> Iterator[None]:
    """Pause every read model."""
    names = [name for (name,) in stage.product.rows(READ_MODELS)]
    _succeed(stage, "pause_delivery", *names, "--reason=a drill")
    try:
        yield
    finally:
        _succeed(stage, "resume_delivery", *names)


def _succeed(stage: Stage, *command: str) -> None:
    done = stage.manage(*command)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)


def _figures(seconds: list[float]) -> str:
    if len(seconds) < 2:
        return "–"
    return f"{median(seconds) * 1000:.1f}/{quantiles(seconds, n=100)[98] * 1000:.1f}"
