"""Tests of the foreground: one log, stopped by a signal or by the first child that ends."""

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time

import psutil

from config.server_process import is_alive
from config.supervisor import supervise

SLEEP = [sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(60)"]


def run(commands, started=lambda _: None):
    return asyncio.run(supervise(commands, os.environ, started))


def test_a_child_that_ends_is_reported_and_ends_the_others(capfd):
    pids = []
    dying = [sys.executable, "-c", "import time; time.sleep(0.5); raise SystemExit(3)"]

    outcome = run({"web": SLEEP, "worker": dying}, pids.extend)

    assert outcome == 1
    assert "worker ended by itself with exit code 3" in capfd.readouterr().out
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_a_signal_ends_all_children_in_peace(capfd):
    pids = []

    def started(children):
        pids.extend(children)
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()

    assert run({"web": SLEEP, "worker": SLEEP}, started) == 0
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_every_line_tells_who_wrote_it(capfd):
    run({"web": [sys.executable, "-c", "print('hello')"], "worker": SLEEP})

    assert "web    | hello\n" in capfd.readouterr().out


def test_a_child_that_does_not_listen_is_killed_with_its_own_children(monkeypatch, tmp_path):
    monkeypatch.setattr("config.supervisor.STOP_TIMEOUT_SECONDS", 0.5)
    told = tmp_path / "grandchild"
    deaf = (
        "import pathlib, signal, subprocess, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"pid = subprocess.Popen(['sleep', '60']).pid; new = pathlib.Path('{told}.new');"
        f"new.write_text(str(pid)); new.rename('{told}'); time.sleep(60)"
    )
    # It lives until the other one is deaf and has a child.
    dying = f"import os, time\nwhile not os.path.exists('{told}'): time.sleep(0.01)"
    pids = []

    run({"deaf": [sys.executable, "-c", deaf], "dying": [sys.executable, "-c", dying]}, pids.extend)

    assert not any(psutil.pid_exists(pid) for pid in pids)
    with contextlib.suppress(psutil.NoSuchProcess):
        grandchild = psutil.Process(int(told.read_text()))
        for _ in range(200):  # a kill takes its time, and nobody may be there to reap
            if not is_alive(grandchild):
                break
            time.sleep(0.05)
        assert not is_alive(grandchild)
