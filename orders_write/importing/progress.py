"""Show how an import goes on: a bar on a terminal, a line every few seconds elsewhere."""

import time
from collections.abc import Iterable, Iterator
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .runner import Step

LINE_SECONDS = 5.0


def shown(steps: Iterable[Step], total: int, output: TextIO) -> Iterator[Step]:
    """Pass the steps on and show on `output` how many of `total` commands are done, the rate, and the time left."""
    return _with_bar(steps, total, output) if output.isatty() else _with_lines(steps, total, output)


def _with_bar(steps: Iterable[Step], total: int, output: TextIO) -> Iterator[Step]:
    columns = (
        TextColumn("Importing"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:,.0f} commands/s,"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    began = time.monotonic()
    with Progress(*columns, console=Console(file=output)) as progress:
        task = progress.add_task("", total=total, rate=0.0)
        for step in steps:
            yield step
            done = progress.tasks[0].completed + step.commands
            progress.update(task, completed=done, rate=done / (time.monotonic() - began))


def _with_lines(steps: Iterable[Step], total: int, output: TextIO) -> Iterator[Step]:
    began = said = time.monotonic()
    done = 0
    for step in steps:
        yield step
        done += step.commands
        now = time.monotonic()
        if now - said >= LINE_SECONDS:
            said, rate = now, done / (now - began)
            left = (total - done) / rate
            output.write(f"{done:,} of {total:,} commands, {rate:,.0f}/s, {left:,.0f} s left\n")
            output.flush()
