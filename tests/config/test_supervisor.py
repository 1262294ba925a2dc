"""Tests of the foreground: one log, children that are started again, and a signal that ends them all."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
import threading
import time
import types

import psutil
import pytest

from config import shop, supervisor
from config.server_process import is_alive
from config.supervisor import supervise

SLEEP = [sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(60)"]
DIE = [sys.executable, "-c", "raise SystemExit(3)"]


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Let a child be started again soon."""
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_SECONDS", 0.01)


def run(commands, changed=lambda _: None):
    return asyncio.run(supervise(commands, os.environ, changed))


def end():
    os.kill(os.getpid(), signal.SIGTERM)


def end_when(happened):
    """End the shop, from a thread, once something has happened."""

    def watch():
        while not happened():
            time.sleep(0.01)
        end()

    threading.Thread(target=watch).start()


def test_a_child_that_was_killed_is_started_again(capfd):
    told = []

    def changed(pids):
        told.append(pids)
        if len(told) == 3:
            end()
        else:
            os.kill(pids[1], signal.SIGKILL)

    assert run({"web": SLEEP, "worker": SLEEP}, changed) == 0
    assert "worker ended by itself with exit code -9; it is started again in 0.01 s" in capfd.readouterr().out
    assert len({pids[0] for pids in told}) == 1
    assert len({pids[1] for pids in told}) == 3
    assert not any(psutil.pid_exists(pid) for pids in told for pid in pids)


def test_a_child_that_cannot_start_at_all_ends_the_others(capfd, monkeypatch):
    monkeypatch.setattr(supervisor, "MOST_QUICK_DEATHS", 3)
    told = []

    assert run({"web": DIE, "worker": SLEEP}, told.append) == 1

    out = capfd.readouterr().out
    assert out.count("web ended by itself with exit code 3; it is started again") == 2
    assert "web cannot start: it ended 3 times at once, now with exit code 3. Stopping." in out
    assert not any(psutil.pid_exists(pid) for pids in told for pid in pids)


def pauses(deaths, lived_seconds, monkeypatch):
    """Let a child die so often, each time after so long a life, and return the pauses that were made."""
    ticks = itertools.count()
    made = []

    async def pause(stopping, seconds):
        made.append(seconds)
        if len(made) == deaths:
            stopping.set()

    # Each life reads the clock twice: at its begin and at its end.
    clock = types.SimpleNamespace(monotonic=lambda: next(ticks) * lived_seconds)
    monkeypatch.setattr(supervisor, "time", clock)
    monkeypatch.setattr(supervisor, "_pause", pause)
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_SECONDS", 1.0)
    monkeypatch.setattr(supervisor, "MOST_QUICK_DEATHS", 100)
    assert run({"worker": DIE}) == 0
    return made


def test_pauses_double_to_half_a_minute(monkeypatch):
    assert pauses(7, 1, monkeypatch) == [1, 2, 4, 8, 16, 30, 30]


def test_after_a_minute_of_life_the_pause_is_the_first_again(monkeypatch):
    assert pauses(3, 60, monkeypatch) == [1, 1, 1]


def test_who_has_lived_is_started_again_however_often_it_dies(monkeypatch, capfd):
    monkeypatch.setattr(supervisor, "QUICK_SECONDS", 0.0)
    told = []

    def changed(pids):
        told.append(pids)
        if len(told) == supervisor.MOST_QUICK_DEATHS + 3:
            end()

    monkeypatch.setattr(supervisor, "LONGEST_PAUSE_SECONDS", 0.01)
    assert run({"worker": DIE}, changed) == 0


def test_what_a_dead_child_left_behind_is_ended_before_it_is_started_again(tmp_path, capfd):
    told, grandchildren = [], tmp_path / "grandchildren"
    fertile = (
        "import subprocess, time; pid = subprocess.Popen(['sleep', '60']).pid;"
        f"open('{grandchildren}', 'a').write(f'{{pid}} '); time.sleep(60)"
    )

    def changed(pids):
        told.append(pids)
        if len(told) == 2:
            end()
            return
        threading.Thread(target=kill_when_told, args=(pids[0],)).start()

    def kill_when_told(pid):
        while not (grandchildren.exists() and grandchildren.read_text()):
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)

    assert run({"web": [sys.executable, "-c", fertile]}, changed) == 0
    first = int(grandchildren.read_text().split()[0])
    assert not psutil.pid_exists(first) or not is_alive(psutil.Process(first))


def test_the_list_of_children_is_that_of_those_who_run(tmp_path, monkeypatch):
    monkeypatch.setattr(shop, "CHILDREN", tmp_path / "shop.json")
    told = []

    def changed(pids):
        shop._write_children(pids)
        told.append((pids, shop._read_children()))
        if len(told) == 2:
            end()
        else:
            os.kill(pids[0], signal.SIGKILL)

    assert run({"worker": SLEEP}, changed) == 0
    assert [[process.pid for process in processes] for _, processes in told] == [pids for pids, _ in told]


def test_a_new_child_is_told_though_another_waits_to_be_started_again(monkeypatch):
    told, pause, pauses = [], supervisor._pause, []

    async def pause_the_first_for_long(stopping, seconds):
        pauses.append(seconds)
        if len(pauses) == 1:
            os.kill(told[0][1], signal.SIGKILL)
            await pause(stopping, 60)

    def changed(pids):
        told.append(pids)
        if len(told) == 1:
            os.kill(pids[0], signal.SIGKILL)
        else:
            end()

    monkeypatch.setattr(supervisor, "_pause", pause_the_first_for_long)
    assert run({"web": SLEEP, "worker": SLEEP}, changed) == 0
    assert [len(pids) for pids in told] == [2, 1]


def test_a_child_that_is_gone_already_is_not_listed(tmp_path, monkeypatch):
    monkeypatch.setattr(shop, "CHILDREN", tmp_path / "shop.json")
    shop._write_children([os.getpid(), 2**22 + 1])
    assert [pid for pid, _ in json.loads(shop.CHILDREN.read_text())] == [os.getpid()]


def test_a_signal_ends_all_children_in_peace(capfd):
    pids = []

    def started(children):
        pids.extend(children)
        end()

    assert run({"web": SLEEP, "worker": SLEEP}, started) == 0
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_every_line_tells_who_wrote_it(capfd, tmp_path):
    said = tmp_path / "said"
    speak = f"import time; print('hello', flush=True); open('{said}', 'w'); time.sleep(60)"

    run({"web": [sys.executable, "-c", speak], "worker": SLEEP}, lambda _: end_when(said.exists))

    assert "web    | hello\n" in capfd.readouterr().out


def test_a_child_that_does_not_listen_is_killed_with_its_own_children(monkeypatch, tmp_path):
    monkeypatch.setattr("config.supervisor.STOP_TIMEOUT_SECONDS", 0.5)
    told = tmp_path / "grandchild"
    deaf = (
        "import pathlib, signal, subprocess, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"pid = subprocess.Popen(['sleep', '60']).pid; new = pathlib.Path('{told}.new');"
        f"new.write_text(str(pid)); new.rename('{told}'); time.sleep(60)"
    )
    pids = []

    def changed(children):
        pids.extend(children)
        end_when(told.exists)

    run({"deaf": [sys.executable, "-c", deaf]}, changed)

    assert not any(psutil.pid_exists(pid) for pid in pids)
    with contextlib.suppress(psutil.NoSuchProcess):
        grandchild = psutil.Process(int(told.read_text()))
        for _ in range(200):  # a kill takes its time, and nobody may be there to reap
            if not is_alive(grandchild):
                break
            time.sleep(0.05)
        assert not is_alive(grandchild)
