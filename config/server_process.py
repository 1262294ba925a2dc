"""A server's process: launched so that it outlives us, and found again by its pid."""

import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import psutil

START_TIMEOUT_SECONDS = 60
STARTED: list[subprocess.Popen[bytes]] = []  # Python warns of a child that runs on while nothing refers to it


class ServiceError(Exception):
    """An embedded server cannot be started or stopped; the message says what to do."""


@dataclass(frozen=True)
class Server:
    """A server that runs: its process, and its port on the loopback address."""

    process: psutil.Process
    port: int


def find(pid: str, port: str, mark: str) -> Server | None:
    """Find the server with this pid; a pid that another program took over does not carry the mark."""
    try:
        process = psutil.Process(int(pid))
        if mark in " ".join(process.cmdline()) and is_alive(process):
            return Server(process, int(port))
    except (ValueError, psutil.Error):
        pass
    return None


def is_alive(process: psutil.Process) -> bool:
    """Say whether a process runs; one that ended and was not waited for does not."""
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def free_port() -> int:
    """Let the operating system choose a port on the loopback address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def launch(command: Sequence[str | Path], log: Path, answers: Callable[[], bool], **identity: Any) -> None:
    """Start a server and wait for its first answer; raise with the end of its log when none comes."""
    with log.open("ab") as output:
        server = subprocess.Popen(  # noqa: S603 – our own binaries and arguments
            command, stdin=DEVNULL, stdout=output, stderr=output, cwd="/", start_new_session=True, **identity
        )
    STARTED.append(server)
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        if answers():
            return
        time.sleep(0.05)
    last_lines = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
    raise ServiceError(f"A server did not start. The end of {log}:\n{last_lines}")
