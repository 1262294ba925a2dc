"""Run child processes in the foreground, with one log, until a signal comes or one of them ends."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Callable, Mapping, Sequence

STOP_TIMEOUT_SECONDS = 15
LONGEST_LINE = 1 << 20


async def supervise(
    commands: Mapping[str, Sequence[str]],
    environment: Mapping[str, str],
    started: Callable[[list[int]], None],
) -> int:
    """Run named commands until SIGINT, SIGTERM or SIGHUP (0), or until one of them ends by itself (1).

    `started` is told the children's pids; each child leads a process group of its own, so that a Ctrl-C
    reaches it through us only.
    """
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    children = {name: await _start(command, environment) for name, command in commands.items()}
    started([child.pid for child in children.values()])
    width = max(map(len, children))
    logs = [asyncio.create_task(_print_log(f"{name:<{width}} | ", child)) for name, child in children.items()]
    ends = [asyncio.create_task(child.wait(), name=name) for name, child in children.items()]
    await asyncio.wait([asyncio.create_task(stopping.wait()), *ends], return_when=asyncio.FIRST_COMPLETED)
    ended = [end for end in ends if end.done()]
    for end in ended:
        _say(f"{end.get_name()} ended by itself with exit code {end.result()}: stopping.")
    await _stop(list(children.values()))
    await asyncio.gather(*logs)
    return 1 if ended else 0


async def _start(command: Sequence[str], environment: Mapping[str, str]) -> Process:
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        env=environment,
        start_new_session=True,
        limit=LONGEST_LINE,
    )


async def _print_log(prefix: str, child: Process) -> None:
    assert child.stdout
    async for line in child.stdout:
        _say(prefix + line.decode(errors="replace").rstrip())


async def _stop(children: list[Process]) -> None:
    """Ask politely; after the time-out, end what is left of each process group."""
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STOP_TIMEOUT_SECONDS):
            await asyncio.gather(*(child.wait() for child in children))
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        await child.wait()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
