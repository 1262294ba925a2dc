"""A short torture of the whole product: every process killed, servers too, and nothing wrong afterwards."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import psutil
import pytest

from config.services import DATA_DIR

from .servers import BASE_DIR, OF_OTHERS

NEMESIS = (
    "kill_web,kill_worker,kill_relay,kill_postgres,kill_postgres_unflushed,kill_redis,stop_worker,silence_redis,"
    "flush_redis,terminate_sessions,repeat_requests,kill_publishers,kill_receiver"
)


def torture(*options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, str(BASE_DIR / "manage.py"), "torture", *options]
    own = {name: value for name, value in os.environ.items() if name not in OF_OTHERS}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=own, cwd=BASE_DIR
    )


@pytest.mark.timeout(150)
def test_nothing_is_lost_doubled_or_swapped_whatever_is_killed() -> None:
    run = torture("--seed=4", "--minutes=0.4", f"--nemesis={NEMESIS}")

    said, _ = run.communicate()

    assert run.returncode == 0, said
    assert "SOUND" in said.splitlines()[-1]


def test_an_interrupted_run_leaves_nothing_behind() -> None:
    run = torture("--seed=5", "--minutes=5")
    until_it_says("Torturing", run)
    family = psutil.Process(run.pid).children(recursive=True)

    run.send_signal(signal.SIGINT)
    run.communicate(timeout=60)

    assert run.returncode == 130
    assert len(family) > 10, "servers, web, workers, publishers"
    assert [process for process in family if is_at_work(process)] == []
    assert not (DATA_DIR / f"torture-5-{run.pid}").exists()


def test_what_a_killed_run_leaves_behind_is_ended_by_the_next() -> None:
    killed = torture("--seed=5", "--minutes=5")
    until_it_says("Torturing", killed)
    family = psutil.Process(killed.pid).children(recursive=True)
    killed.kill()
    killed.communicate()

    following = torture("--seed=6", "--minutes=5")
    said = until_it_says("Starting", following)
    following.send_signal(signal.SIGINT)
    following.communicate(timeout=60)

    assert len(family) > 10, "servers, web, workers, publishers"
    assert [process for process in family if is_at_work(process)] == []
    assert f"processes of torture-5-{killed.pid}, which was killed" in said
    assert not (DATA_DIR / f"torture-5-{killed.pid}").exists()
    assert not (DATA_DIR / f"torture-6-{following.pid}").exists()


def until_it_says(word: str, run: "subprocess.Popen[str]") -> str:
    assert run.stdout is not None
    said = ""
    while word not in said:
        line = run.stdout.readline()
        assert line, said
        said += line
    return said


def is_at_work(process: psutil.Process) -> bool:
    deadline = time.monotonic() + 5
    with suppress(psutil.NoSuchProcess):
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                return True
            time.sleep(0.05)
    return False
