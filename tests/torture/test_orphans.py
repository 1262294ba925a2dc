"""Only what a dead run has started is ended."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from config.server_process import is_alive

from . import orphans
from .orphans import RECORD, Record

STANDS = [sys.executable, "-c", "import time; time.sleep(600)"]
LEAVES_A_CHILD = [
    sys.executable, "-c", f"import subprocess; print(subprocess.Popen({STANDS}, stdout=-3).pid, flush=True)"
]  # fmt: skip
NO_PID = 1 << 30


@contextmanager
def standing() -> Iterator[psutil.Process]:
    with subprocess.Popen(STANDS, start_new_session=True) as process:
        yield psutil.Process(process.pid)
        process.kill()


def folder_of(data: Path, tool: tuple[int, float], *started: tuple[int, float]) -> Path:
    folder = data / "torture-1-1"
    folder.mkdir()
    rows = ({"pid": pid, "started": at} for pid, at in (tool, *started))
    (folder / RECORD).write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return folder


def test_a_process_of_a_dead_run_is_ended_and_its_folder_removed(tmp_path: Path) -> None:
    with standing() as process:
        folder = folder_of(tmp_path, (NO_PID, 1.0), (process.pid, process.create_time()))

        ended = orphans.end(tmp_path)

        assert ended == {folder.name: 1}
        assert not is_alive(process)
        assert not folder.exists()


def test_what_a_process_that_is_gone_has_started_is_ended_too(tmp_path: Path) -> None:
    with subprocess.Popen(
        LEAVES_A_CHILD, start_new_session=True, stdout=subprocess.PIPE, text=True
    ) as leader:
        started = psutil.Process(leader.pid).create_time()
        said, _ = leader.communicate()
    child = psutil.Process(int(said))
    folder_of(tmp_path, (NO_PID, 1.0), (leader.pid, started))

    orphans.end(tmp_path)

    assert not is_alive(child)


def test_a_later_process_that_has_got_the_pid_goes_on(tmp_path: Path) -> None:
    with standing() as process:
        folder_of(tmp_path, (NO_PID, 1.0), (process.pid, process.create_time() - 60))

        assert orphans.end(tmp_path) == {"torture-1-1": 0}
        assert is_alive(process)


def test_a_run_that_is_at_work_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "torture-1-1"
    folder.mkdir()
    record = Record(folder)
    with standing() as process:
        record.add(process.pid)

        assert orphans.end(tmp_path) == {}
        assert is_alive(process)
    assert folder.exists()


def test_a_run_whose_pid_another_process_has_got_is_dead(tmp_path: Path) -> None:
    myself = psutil.Process(os.getpid())
    folder_of(tmp_path, (myself.pid, myself.create_time() - 60))

    assert orphans.end(tmp_path) == {"torture-1-1": 0}


def test_what_a_run_that_has_ended_kept_stays(tmp_path: Path) -> None:
    folder = tmp_path / "torture-1-1"
    folder.mkdir()
    Record(folder).remove()

    assert orphans.end(tmp_path) == {}
    assert folder.exists()
