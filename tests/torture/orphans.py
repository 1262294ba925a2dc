"""What a run leaves behind when it is killed itself: the next one ends its processes and removes its data.

A run writes the pid and the start time of each process that it starts into its folder, its own first. A folder that
still has this record, while its first process is gone, is that of a killed run: others end with the record removed.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from config.server_process import is_alive

from .servers import Servers, kill

RECORD = "processes.jsonl"
FOLDERS = ("torture-*", "drills/*")
# Linux tells start times in ticks since the machine started, whose own time is known to the second.
PRECISION_SECONDS = 1.5

Started = dict[int, float]  # start times by pid


class Record:
    """The processes of a run, in the order in which they were started."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / RECORD
        self.add(os.getpid())

    def add(self, pid: int) -> None:
        """Write down a process that was just started, unless it has ended by now."""
        with suppress(psutil.NoSuchProcess):
            row = {"pid": pid, "started": psutil.Process(pid).create_time()}
            with self._path.open("a") as file:
                file.write(f"{json.dumps(row)}\n")

    def remove(self) -> None:
        """Say that nothing runs any more."""
        self._path.unlink(missing_ok=True)


def end(data: Path) -> dict[str, int]:
    """End what runs that were killed have left; return the number of processes by the name of the folder."""
    found = {}
    for pattern in FOLDERS:
        for record in sorted(data.glob(f"{pattern}/{RECORD}")):
            tool, started = _read(record)
            if tool and not _is_same(*tool):
                found[record.parent.name] = _end(record.parent, started)
    return found


def _end(folder: Path, started: Started) -> int:
    servers = Servers(folder / "servers")
    left = [process for process in psutil.process_iter() if _belongs(process, started)]
    kill(left)
    number = len(left) + servers.remove()
    shutil.rmtree(folder, ignore_errors=True)
    return number


def _read(record: Path) -> tuple[tuple[int, float] | None, Started]:
    """Read who made the record, and what was started; nobody made one that another run has just removed."""
    rows = []
    with suppress(FileNotFoundError):
        rows = [*_rows(record)]
    return (rows[0] if rows else None), dict(rows[1:])


def _rows(record: Path) -> Iterator[tuple[int, float]]:
    for line in record.read_text().splitlines():
        with suppress(ValueError):  # the last one may be cut off
            row = json.loads(line)
            yield row["pid"], row["started"]


def _belongs(process: psutil.Process, started: Started) -> bool:
    """Say whether a process is of a session that the run has begun; each of its processes began one."""
    with suppress(psutil.Error, OSError):
        session = os.getsid(process.pid)
        if session not in started or not is_alive(process):
            return False
        is_later = process.create_time() >= started[session] - PRECISION_SECONDS
        return is_later and (not psutil.pid_exists(session) or _is_same(session, started[session]))
    return False


def _is_same(pid: int, started: float) -> bool:
    """Say whether this process still runs; a later one may have its pid."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        return is_alive(process) and abs(process.create_time() - started) < PRECISION_SECONDS
    return False
