"""Whether workers are at work."""

from collections.abc import Iterator

from django.db.backends.utils import CursorWrapper

from ..advice import START_WORKER
from ..heartbeats import Worker, workers
from .findings import Finding, Severity, span


def find_silent_workers(cursor: CursorWrapper) -> Iterator[Finding]:
    """Miss workers that fell silent, or all of them."""
    found = workers()
    if not any(worker.is_alive and worker.delivers for worker in found):
        what = "No worker shows a sign of life: nothing is delivered."
        yield Finding("doctor.D701", Severity.ERROR, what, START_WORKER)
    yield from (_silent(worker) for worker in found if not worker.is_alive)


def _silent(worker: Worker) -> Finding:
    return Finding(
        "doctor.D702",
        Severity.WARNING,
        f"The worker {worker.kind} (pid {worker.pid} on {worker.host}) fell silent {span(worker.silent_seconds)} ago "
        f"without saying farewell, after {span(worker.worked_seconds)} of work.",
        "See its log: it was killed, hangs, or has lost the database. Start another; its row goes after a day.",
    )
