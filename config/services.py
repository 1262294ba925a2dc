"""Run PostgreSQL and Valkey from their wheels: `python -m config.services start|stop|status|env`.

A server is found again through its own pid file in the data folder, so a starter or a server may be killed
at any moment. Data is never deleted. `DATABASE_URL` and `REDIS_URL` replace these servers.
"""

import argparse
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from . import postgres_server, valkey_server
from .data_folder import DataFolder
from .server_process import Server, ServiceError, is_alive

DATA_DIR = Path(__file__).resolve().parent.parent / ".data"
STOP_TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class ServiceURLs:
    """Where the running servers listen."""

    database: str
    redis: str


def urls(data_dir: Path = DATA_DIR) -> ServiceURLs | None:
    """Say where the servers of a data folder listen; None unless both run and are ours to use."""
    folder = DataFolder.at(data_dir)
    try:
        postgres, valkey = postgres_server.running(folder), valkey_server.running(folder)
        if not (postgres and valkey):
            return None
        return ServiceURLs(postgres_server.url(folder, postgres.port), valkey_server.url(folder, valkey.port))
    except PermissionError:
        return None


def start(data_dir: Path = DATA_DIR, *, fast: bool = False) -> bool:
    """Start what does not run yet, and say whether that was anything; `fast` gives up crash safety."""
    folder = DataFolder.at(data_dir)
    try:
        folder.create()
        with folder.locked():
            idle = [server for server in (postgres_server, valkey_server) if not server.running(folder)]
            for server in idle:
                server.start(folder, fast=fast)
    except PermissionError as error:
        raise ServiceError(
            f"{error.filename} belongs to another user: use another folder with --data."
        ) from error
    return bool(idle)


def stop(data_dir: Path = DATA_DIR) -> bool:
    """Stop the servers of a data folder, keep their data, and say whether any ran."""
    folder = DataFolder.at(data_dir)
    if not folder.data.exists():
        return False
    with folder.locked():
        servers = [
            server for server in (postgres_server.running(folder), valkey_server.running(folder)) if server
        ]
        _end(servers, folder)
    return bool(servers)


def _end(servers: list[Server], folder: DataFolder) -> None:
    for server in servers:
        server.process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown; Valkey saves and ends
    _, slow = psutil.wait_procs([server.process for server in servers], timeout=STOP_TIMEOUT_SECONDS)
    if any(is_alive(process) for process in slow):
        raise ServiceError(
            f"A server did not stop within {STOP_TIMEOUT_SECONDS} s; its log is in {folder.data}."
        )


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m config.services", description="Run the embedded servers."
    )
    parser.add_argument("command", choices=["start", "stop", "status", "env"])
    parser.add_argument("--data", type=Path, default=DATA_DIR, metavar="DIR", help="the data folder (.data)")
    parser.add_argument("--fast", action="store_true", help="for tests: do not wait for the disk")
    options = parser.parse_args()
    try:
        return _run(options.command, options.data, fast=options.fast)
    except ServiceError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _run(command: str, data_dir: Path, *, fast: bool) -> int:
    if command == "start":
        start(data_dir, fast=fast)
    if command == "stop":
        sys.stdout.write("The servers are stopped.\n" if stop(data_dir) else "No servers ran.\n")
        return 0
    found = urls(data_dir)
    if not found:
        sys.stderr.write("The servers do not run.\n")
        return 1
    if command == "env":
        sys.stdout.write(f"DATABASE_URL={found.database}\nREDIS_URL={found.redis}\n")
    else:
        places = ", ".join(url.rpartition("@")[2] for url in (found.database, found.redis))
        sys.stdout.write(f"PostgreSQL and Valkey run: {places} (`env` prints them with the password).\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
