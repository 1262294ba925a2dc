"""The folder in which a pair of embedded servers lives: paths, secrets, how processes are found again."""

import contextlib
import fcntl
import hashlib
import os
import secrets
import socket
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

FALLBACK_DIR = Path("/var/lib/orders-embedded")
START_TIMEOUT_SECONDS = 60


class ServiceError(Exception):
    """An embedded server cannot be started or stopped; the message says what to do."""


@dataclass(frozen=True)
class Server:
    """A server that runs: its process, and its port on the loopback address."""

    process: psutil.Process
    port: int


@dataclass(frozen=True)
class DataFolder:
    """`data` belongs to the starter; `postgres_home` can also be entered by the user who runs PostgreSQL."""

    data: Path
    postgres_home: Path

    @classmethod
    def at(cls, path: Path) -> "DataFolder":
        """Find the places for a folder; root starts PostgreSQL as a user who may not be able to enter it."""
        data = path.resolve()
        if os.geteuid() != 0 or reachable(data):
            return cls(data, data)
        return cls(data, FALLBACK_DIR / hashlib.sha256(str(data).encode()).hexdigest()[:12])

    @property
    def password(self) -> str:
        """The password of both servers."""
        return secret(self.data / "password")

    def create(self) -> None:
        """Make the folders that are missing."""
        for path in (self.data, self.postgres_home):
            if not path.exists():
                path.mkdir(parents=True)
                path.chmod(0o755)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep two starters apart. The lock ends with the process, however that ends."""
        with (self.data / "services.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def secret(path: Path) -> str:
    """Read a secret, made at random on the first call and readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        new = path.with_name(f"{path.name}.{os.getpid()}")
        write_private(new, secrets.token_urlsafe(48))
        with contextlib.suppress(FileExistsError):
            os.link(new, path)  # whole or not at all, and never over the secret of a racing process
        new.unlink()
    return path.read_text()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    path.touch(mode=0o600)
    path.write_text(text)


def reachable(path: Path) -> bool:
    """Say whether every user may enter all folders that lead to a path."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents if parent.exists())


def find_server(pid: str, port: str, mark: str) -> Server | None:
    """Find the server with this pid; a pid that another program took over does not carry the mark."""
    try:
        process = psutil.Process(int(pid))
        if mark in " ".join(process.cmdline()) and is_alive(process):
            return Server(process, int(port))
    except (ValueError, psutil.Error):
        pass
    return None


def is_alive(process: psutil.Process) -> bool:
    """Say whether a process runs; one that nobody has waited for yet does not."""
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def free_port() -> int:
    """Let the operating system choose a port on the loopback address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(answers: Callable[[], bool], pid: int, log: Path) -> None:
    """Wait for a new server's first answer; raise with the end of its log when it ends or stays silent."""
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    process = psutil.Process(pid)
    while time.monotonic() < deadline and is_alive(process):
        if answers():
            return
        time.sleep(0.05)
    last_lines = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
    raise ServiceError(f"A server did not start. The end of {log}:\n{last_lines}")
