"""Tests of the foreground: one log, stopped by a signal or by the first child that ends."""

import asyncio
import os
import re
import signal
import sys
import threading

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


def test_a_child_that_does_not_listen_is_killed_with_its_own_children(monkeypatch, capfd):
    monkeypatch.setattr("config.supervisor.STOP_TIMEOUT_SECONDS", 0.5)
    deaf = (
        "import signal, subprocess, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print(subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)"
    )
    pids = []

    run(
        {
            "deaf": [sys.executable, "-c", deaf],
            "dying": [sys.executable, "-c", "import time; time.sleep(1)"],
        },
        pids.extend,
    )

    assert not any(psutil.pid_exists(pid) for pid in pids)
    grandchild = int(re.search(r"deaf +\| (\d+)", capfd.readouterr().out)[1])
    assert not (psutil.pid_exists(grandchild) and is_alive(psutil.Process(grandchild)))
