"""Run one import in several processes, each with the commands of its own customers."""

import multiprocessing
import os
import queue
import zlib
from collections.abc import Iterator, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TypeAlias

from django.db import connections

from .records import Record
from .runner import Import, Step
from .stream import owner, records

FORK = multiprocessing.get_context("fork")
LOOK_SECONDS = 0.5

Steps: TypeAlias = "multiprocessing.Queue[Step | None]"


class WorkerLost(Exception):
    """A process of the import ended early."""


def run_in_processes(
    work: Import, path: Path, limit: int | None, owners: dict[str, str], processes: int
) -> Iterator[Step]:
    """Yield the steps of all processes as they come; raises WorkerLost when one of them does not reach its end.

    No command overtakes another one of the same customer, or on the same guest's order.
    """
    connections.close_all()
    steps: Steps = FORK.Queue()
    workers = [
        FORK.Process(
            target=_run_share, args=(steps, work, path, limit, owners, share, processes), daemon=True
        )
        for share in range(processes)
    ]
    for worker in workers:
        worker.start()
    try:
        yield from _collected(steps, workers)
    finally:
        for worker in workers:
            worker.terminate()


def _collected(steps: Steps, workers: Sequence[BaseProcess]) -> Iterator[Step]:
    running = len(workers)
    while running:
        try:
            step = steps.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            if any(worker.exitcode for worker in workers):
                raise WorkerLost(
                    "A process of the import ended early; start the import again to go on."
                ) from None
            continue
        if step is None:
            running -= 1
        else:
            yield step


def _run_share(
    steps: Steps,
    work: Import,
    path: Path,
    limit: int | None,
    owners: dict[str, str],
    share: int,
    shares: int,
) -> None:
    parent = os.getppid()
    mine = (record for record in records(path, limit) if _share_of(record, owners, shares) == share)
    for step in work.run(mine):
        steps.put(step)
        if os.getppid() != parent:
            return  # the import was killed; a second one may be running already
    steps.put(None)


def _share_of(record: Record, owners: dict[str, str], shares: int) -> int:
    return zlib.crc32(owner(record, owners).encode()) % shares
