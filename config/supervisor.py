"""Run child processes in the foreground, with one log, and start again who dies, until a signal comes."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Callable, Mapping, Sequence

STOP_TIMEOUT_SECONDS = 15
LOOK_SECONDS = 0.02
LONGEST_LINE = 1 << 20

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
# Who has lived so long was well: the next pause is the first again.
WELL_SECONDS = 60.0
# Who has never lived longer than this, so often, cannot start at all.
QUICK_SECONDS = 10.0
MOST_QUICK_DEATHS = 5


async def supervise(
    commands: Mapping[str, Sequence[str]],
    environment: Mapping[str, str],
    changed: Callable[[list[int]], None],
) -> int:
    """Run named commands until SIGINT, SIGTERM or SIGHUP (0), or until one of them cannot start at all (1).

    `changed` is told the children's pids, as soon as all have been started and whenever others took their place. Each
    child leads a process group of its own, so that a Ctrl-C reaches it through us only.
    """
    family = _Family(commands, environment, changed)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, family.stopping.set)
    keepers = [asyncio.create_task(family.keep(name)) for name in commands]
    await asyncio.wait(
        [asyncio.create_task(family.stopping.wait()), *keepers], return_when=asyncio.FIRST_COMPLETED
    )
    family.stopping.set()
    while not all(keeper.done() for keeper in keepers):  # one may have been starting a child just now
        await _stop(list(family.children.values()))
        await asyncio.wait(keepers, timeout=0.1)
    for keeper in keepers:
        keeper.result()
    return 1 if family.has_failed else 0


class _Family:
    """The children that run, by name."""

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        environment: Mapping[str, str],
        changed: Callable[[list[int]], None],
    ) -> None:
        self.commands = commands
        self.stopping = asyncio.Event()
        self.children: dict[str, Process] = {}
        self.has_failed = False
        self._environment = environment
        self._changed = changed
        self._have_all_started = False
        self._width = max(map(len, commands))

    async def keep(self, name: str) -> None:
        """Run a child, and start it again whenever it has died, after a pause that doubles."""
        deaths, pause_seconds, has_lived = 0, FIRST_PAUSE_SECONDS, False
        while not self.stopping.is_set():
            began_at = time.monotonic()
            code = await self._run(name)
            if self.stopping.is_set():
                return
            lived_seconds, deaths = time.monotonic() - began_at, deaths + 1
            has_lived = has_lived or lived_seconds >= QUICK_SECONDS
            if deaths >= MOST_QUICK_DEATHS and not has_lived:
                _say(
                    f"{name} cannot start: it ended {deaths} times at once, now with exit code {code}. Stopping."
                )
                self.has_failed = True
                return
            if lived_seconds >= WELL_SECONDS:
                pause_seconds = FIRST_PAUSE_SECONDS
            _say(f"{name} ended by itself with exit code {code}; it is started again in {pause_seconds:g} s.")
            await _pause(self.stopping, pause_seconds)
            pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)

    async def _run(self, name: str) -> int:
        """Run a child to its end, and end what it left of its group: it may hold a port, or work on unseen."""
        child = await _start(self.commands[name], self._environment)
        self.children[name] = child
        self._have_all_started |= len(self.children) == len(self.commands)
        if self._have_all_started:
            self._changed([each.pid for each in self.children.values()])
        log = asyncio.create_task(_print_log(f"{name:<{self._width}} | ", child))
        code = await _end_of(child)
        _kill_group(child)
        await log
        del self.children[name]
        return code


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)


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
            await asyncio.gather(*(_end_of(child) for child in children))
    for child in children:
        _kill_group(child)
        await _end_of(child)


async def _end_of(child: Process) -> int:
    """Wait for a child, but not, as `wait` does, for all others that have its output open."""
    while child.returncode is None:  # noqa: ASYNC110 – nothing else tells
        await asyncio.sleep(LOOK_SECONDS)
    return child.returncode


def _kill_group(child: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
