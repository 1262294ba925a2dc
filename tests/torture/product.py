"""The product under torture: its servers, web processes, workers and publishers, prepared and started."""

import json
import subprocess
import sys
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .orphans import Record
from .servers import BASE_DIR, Children, Servers, environment, free_port, manage, wait_until

WEB_PROCESSES, WEB_THREADS, WORKERS, PUBLISHERS = 2, 8, 2, 2
START_SECONDS = 60.0
RECEIVED = "received.jsonl"


@dataclass(frozen=True, slots=True)
class Cast:
    """Who takes part: users' ids and tokens by name, and the secret of the receiver of webhooks."""

    users: dict[str, int]
    tokens: dict[str, str]
    secret: str

    @classmethod
    def read(cls, path: Path) -> "Cast":
        """Read what the preparation wrote."""
        return cls(**json.loads(path.read_text()))


class Product:
    """Everything that runs, in one folder."""

    def __init__(self, folder: Path, mutant: str = "") -> None:
        self.folder = folder
        self.record = Record(folder)
        self.servers = Servers(folder / "servers")
        self.web_port, self.receiver_port = free_port(), free_port()
        self.environment = environment(self.servers, mutant)
        self.children = Children(self.environment, folder, self.record.add)

    def start(self, workload: str) -> Cast:
        """Start the servers, make the shop, start the processes; return who takes part in it."""
        self.servers.start_postgres()
        self.servers.start_valkey()
        self.run(*manage("migrate", "--verbosity=0"))
        hooks = f"--hooks=http://127.0.0.1:{self.receiver_port}/hooks"
        self.run(*manage("prepare_torture", str(self.folder), f"--workload={workload}", hooks))
        cast = Cast.read(self.folder / "cast.json")
        self.start_web()
        for number in range(WORKERS):
            worker = ("rqworker", "delivery", "--worker-class=outbox.worker.DeliveryWorker", "--verbosity=0")
            self.children.add(f"worker{number}", *manage(*worker))
        self._start_publishers(cast.secret)
        wait_until(self.is_ready, START_SECONDS, "the web processes answer")
        return cast

    def _start_publishers(self, secret: str) -> None:
        self.children.add(
            "receiver", sys.executable, "-m", "tests.webhook_receiver", f"--port={self.receiver_port}",
            f"--log={self.folder / RECEIVED}", f"--secret={secret}",
        )  # fmt: skip
        for number in range(PUBLISHERS):
            self.children.add(f"publishers{number}", *manage("run_publishers"))

    def start_web(self) -> None:
        """Start gunicorn as the shop does."""
        self.children.add(
            "web", sys.executable, "-m", "gunicorn", "config.wsgi", f"--bind=127.0.0.1:{self.web_port}",
            "--worker-class=gthread", f"--workers={WEB_PROCESSES}", f"--threads={WEB_THREADS}",
            "--log-level=warning", "--no-control-socket",
        )  # fmt: skip

    def run(self, *command: str) -> None:
        """Run one command of the product to its end; raises CalledProcessError after showing what it said."""
        with subprocess.Popen(
            command, env=self.environment, cwd=BASE_DIR, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        ) as process:  # fmt: skip
            self.record.add(process.pid)
            try:
                said, _ = process.communicate()
            except BaseException:
                process.kill()
                raise
        with (self.folder / "commands.log").open("a") as log:
            log.write(said)
        if process.returncode:
            sys.stderr.write(said)
            raise subprocess.CalledProcessError(process.returncode, command)

    def is_ready(self) -> bool:
        """Ask a web process whether it serves."""
        address = f"http://127.0.0.1:{self.web_port}/health/ready"
        with suppress(OSError, ValueError), urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
        return False

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask the database one thing on a connection of its own."""
        with self.servers.connect() as connection:
            return connection.execute(query, parameters or None).fetchall()

    def end(self) -> list[str]:
        """Stop all processes and list those that had to be killed."""
        return self.children.end()

    def remove(self) -> None:
        """Leave nothing running, and no data."""
        self.children.kill()
        self.servers.remove()
        self.record.remove()
