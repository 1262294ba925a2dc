"""The servers and processes of a run: its own, on ports that stay when a server is killed and started again."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil
import psycopg
import redis

from config import postgres_server, valkey_server
from config.data_folder import DataFolder
from config.server_process import Server, is_alive
from config.services import DATA_DIR

BASE_DIR = DATA_DIR.parent
# Below the ports that the system gives to clients: one that asks again and again at an address where nobody listens
# would in the end be given that very port, and speak with itself.
FIRST_PORT, LAST_PORT = 20_000, 29_999
STOP_SECONDS = 15.0
KILL_SECONDS = 10.0
OF_OTHERS = ("DJANGO_SETTINGS_MODULE", "TEST_SLOT", "PYTEST_XDIST_WORKER", "DATABASE_URL", "REDIS_URL")


def free_port() -> int:
    """Choose a port that nobody listens at."""
    chance = random.SystemRandom()
    while True:
        port = chance.randint(FIRST_PORT, LAST_PORT)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Servers:
    """PostgreSQL and Valkey with the settings of production, in a folder of their own."""

    def __init__(self, data: Path) -> None:
        self.folder = DataFolder.at(data)
        self.folder.create()
        self.postgres_port, self.valkey_port = free_port(), free_port()

    @property
    def database_url(self) -> str:
        """Where the database is."""
        return postgres_server.url(self.folder, self.postgres_port)

    @property
    def redis_url(self) -> str:
        """Where Redis is."""
        return valkey_server.url(self.folder, self.valkey_port)

    def start_postgres(self) -> None:
        """Start it at its port; waits until it answers, recovery included."""
        with self.folder.locked(), patch.object(postgres_server, "free_port", lambda: self.postgres_port):
            postgres_server.start(self.folder, fast=False)

    def start_valkey(self) -> None:
        """Start it at its port."""
        with self.folder.locked(), patch.object(valkey_server, "free_port", lambda: self.valkey_port):
            valkey_server.start(self.folder, fast=False)

    def postgres(self) -> Server | None:
        """Find the running server."""
        return postgres_server.running(self.folder)

    def valkey(self) -> Server | None:
        """Find the running server."""
        return valkey_server.running(self.folder)

    def kill_postgres(self) -> int:
        """Kill the postmaster and all that it started, so that nothing is written any more; return how many."""
        family = []
        if server := self.postgres():
            family = [server.process, *server.process.children(recursive=True)]
            kill(family)
        rest = _workers_in(postgres_server._cluster(self.folder))
        kill(rest)
        return len(family) + len(rest)

    def kill_valkey(self) -> int:
        """Kill it; return how many processes that were."""
        if server := self.valkey():
            kill([server.process])
            return 1
        return 0

    def connect(self, database: str = "orders", **options: Any) -> psycopg.Connection[Any]:
        """Open a connection of the tool's own."""
        url = postgres_server.url(self.folder, self.postgres_port, database)
        return psycopg.connect(url, autocommit=True, connect_timeout=5, application_name="torture", **options)

    @contextmanager
    def redis(self) -> Iterator[redis.Redis]:
        """Lend a client that gives up soon."""
        with redis.Redis.from_url(self.redis_url, socket_timeout=1, socket_connect_timeout=1) as client:
            yield client

    def remove(self) -> int:
        """End both servers and delete what they kept; return how many processes that were."""
        number = self.kill_valkey() + self.kill_postgres()
        shutil.rmtree(self.folder.postgres_home, ignore_errors=True)
        shutil.rmtree(self.folder.data / "valkey", ignore_errors=True)
        return number


class Child:
    """A process of the product, started again by the same command after it was killed."""

    def __init__(
        self,
        name: str,
        command: list[str],
        environment: Mapping[str, str],
        log: Path,
        note: Callable[[int], None],
    ) -> None:
        self.name = name
        self.command = command
        self.environment = environment
        self.log = log
        self.note = note
        self.process: subprocess.Popen[bytes] | None = None
        self.is_meant_to_run = False

    def start(self) -> None:
        """Start it, in a process group of its own, so that a Ctrl-C reaches it through the tool only."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(self.environment),
                cwd=BASE_DIR, start_new_session=True,
            )  # fmt: skip
        self.note(self.process.pid)
        self.is_meant_to_run = True

    @property
    def pid(self) -> int:
        """Its process, which leads the group."""
        assert self.process is not None
        return self.process.pid

    def is_running(self) -> bool:
        """Say whether it runs."""
        return self.process is not None and self.process.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal to its whole group."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def kill(self) -> None:
        """Kill the whole group."""
        self.is_meant_to_run = False
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def stop(self, seconds: float = STOP_SECONDS) -> bool:
        """Ask it to end; say whether it did in time."""
        if self.process is None:
            return True
        self.is_meant_to_run = False
        self.signal(signal.SIGCONT)
        with suppress(ProcessLookupError):
            self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        ended = self.process.poll() is not None
        self.kill()
        return ended


class Children:
    """All processes of the product, and a look-out for one that ends though nobody killed it."""

    def __init__(self, environment: Mapping[str, str], folder: Path, note: Callable[[int], None]) -> None:
        self.environment = environment
        self.folder = folder
        self.note = note
        self.by_name: dict[str, Child] = {}
        self.lock = threading.RLock()
        self.ended: list[str] = []

    def add(self, name: str, *command: str) -> Child:
        """Start a process under a name."""
        child = Child(name, list(command), self.environment, self.folder / f"{name}.log", self.note)
        child.start()
        self.by_name[name] = child
        return child

    def named(self, prefix: str) -> list[Child]:
        """List the processes of a kind."""
        return [child for name, child in self.by_name.items() if name.startswith(prefix)]

    def look(self) -> None:
        """Note, and start again, what ended by itself."""
        with self.lock:
            for child in self.by_name.values():
                if child.is_meant_to_run and not child.is_running():
                    assert child.process is not None
                    self.ended.append(f"{child.name} ended by itself with {child.process.returncode}")
                    child.start()

    def end(self) -> list[str]:
        """Ask all of them to end, publishers and workers first; list those that did not in time."""
        with self.lock:
            for child in self.by_name.values():
                child.is_meant_to_run = False
                child.signal(signal.SIGCONT)
                if child.process is not None and child.is_running():
                    child.process.terminate()
            return [child.name for child in self.by_name.values() if not child.stop()]

    def kill(self) -> None:
        """Kill whatever is left."""
        for child in self.by_name.values():
            if child.process is not None:
                child.kill()


def environment(servers: Servers, mutant: str = "", **more: str) -> dict[str, str]:
    """Make the environment of the product's processes."""
    inherited = {name: value for name, value in os.environ.items() if name not in OF_OTHERS}
    chosen = {
        "DATABASE_URL": servers.database_url,
        "REDIS_URL": servers.redis_url,
        "HTTPS": "0",
        "PYTHONUNBUFFERED": "1",
        "DJANGO_SETTINGS_MODULE": "tests.torture.mutant_settings" if mutant else "tests.torture.settings",
    }
    return inherited | chosen | ({"TORTURE_MUTANT": mutant} if mutant else {}) | more


def manage(*arguments: str) -> list[str]:
    """Write the command line of a command of manage.py."""
    return [sys.executable, str(BASE_DIR / "manage.py"), *arguments]


def wait_until(is_so: Callable[[], object], seconds: float, what: str) -> None:
    """Ask again until it is so; raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(0.05)


def kill(processes: list[psutil.Process]) -> None:
    """Kill processes and wait until they are gone."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, processes)), KILL_SECONDS, "what was killed is gone")


def _workers_in(cluster: Path) -> list[psutil.Process]:
    return [each for each in psutil.process_iter(["cwd"]) if each.info["cwd"] == str(cluster)]
