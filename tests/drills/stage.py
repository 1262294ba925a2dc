"""The stage of a drill: the product on servers of its own, under steady commands, with readers that watch it."""

import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from config.services import DATA_DIR
from tests.torture.product import Product
from tests.torture.servers import BASE_DIR, manage, wait_until

STEADY = (
    "import sys, django; django.setup(); from tests.drills import steady; steady.main(float(sys.argv[1]))"
)
WORKERS = 2
QUIET_SECONDS = 120.0

HEAD = "SELECT coalesce(max(position), 0), (SELECT count(*) FROM outbox) FROM event_log"
BEHIND = """
SELECT count(*) FROM projection_generations AS fed, (SELECT coalesce(max(position), 0) AS head FROM event_log) AS log
 WHERE state IN ('live', 'kept')
   AND coalesce((SELECT max(to_position) FROM checkpoints
                  WHERE subscriber = fed.projection AND generation = fed.generation), 0) < head
"""


class Stage:
    """Servers, workers and commands of one drill, in a folder that is removed at the end."""

    def __init__(self, *, web: bool = False) -> None:
        (DATA_DIR / "drills").mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(dir=DATA_DIR / "drills"))
        self.product = Product(self.folder)
        self._web = web
        self._commands: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.product.servers.start_postgres()
        self.product.servers.start_valkey()
        self.product.run(*manage("migrate", "--verbosity=0"))
        for number in range(WORKERS):
            worker = ("rqworker", "delivery", "--worker-class=outbox.worker.DeliveryWorker", "--verbosity=0")
            self.product.children.add(f"worker{number}", *manage(*worker))
        if self._web:
            self.product.start_web()
            wait_until(self.product.is_ready, QUIET_SECONDS, "the web processes answer")
        return self

    def __exit__(self, *_: object) -> None:
        if self._commands is not None and self._commands.poll() is None:
            self._commands.kill()
        self.product.end()
        self.product.remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_commands(self, rate: float) -> None:
        """Send so many commands a second from now on."""
        self._commands = subprocess.Popen(
            [sys.executable, "-c", STEADY, str(rate)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self.product.environment,
            cwd=BASE_DIR,
            text=True,
        )
        assert self._commands.stdout is not None
        if self._commands.stdout.readline().strip() != "ready":
            raise RuntimeError("the process that sends commands did not start")

    def stop_commands(self) -> int:
        """End the commands and say how many were accepted."""
        assert self._commands is not None
        said, _ = self._commands.communicate()
        return int(said)

    def wait_until_quiet(self) -> None:
        """Wait until everything was delivered."""
        wait_until(self.is_quiet, QUIET_SECONDS, "everything is delivered")

    def is_quiet(self) -> bool:
        """Say whether nothing is left to deliver."""
        ((_, waiting),) = self.product.rows(HEAD)
        return waiting == 0 and self.product.rows(BEHIND) == [(0,)]

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the product to its end."""
        return subprocess.run(
            manage(*arguments),
            env=self.product.environment,
            cwd=BASE_DIR,
            capture_output=True,
            text=True,
            check=False,
        )

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command of the product."""
        return subprocess.Popen(
            manage(*arguments),
            env=self.product.environment,
            cwd=BASE_DIR,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


class Watcher:
    """A reader that asks one question all the time and compares each answer with the one before."""

    def __init__(self, name: str, ask: Callable[[], tuple[Any, ...]], is_wrong: Callable[..., bool]) -> None:
        self.name, self._ask, self._is_wrong = name, ask, is_wrong
        self.wrong: list[str] = []
        self.seconds: list[float] = []

    def run(self, stopping: threading.Event) -> None:
        """Ask until told to stop."""
        before: tuple[Any, ...] | None = None
        while not stopping.is_set():
            began = time.perf_counter()
            answer = self._ask()
            self.seconds.append(time.perf_counter() - began)
            if self._is_wrong(before, answer):
                self.wrong.append(f"{self.name}: {answer} after {before}")
            before = answer


@contextmanager
def watched(watchers: Sequence[Watcher]) -> Iterator[None]:
    """Let the watchers look meanwhile."""
    stopping = threading.Event()
    threads = [threading.Thread(target=one.run, args=(stopping,)) for one in watchers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
