"""Tests of manage.py where no server runs and none is named."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_SERVERS = "from config import services; services.urls = lambda: None; import manage; manage.main()"


def manage(*arguments):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_SERVERS, *arguments],
        env={"PATH": os.environ["PATH"], "HTTPS": "0"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_checks_need_no_server():
    outcome = manage("check")

    assert outcome.returncode == 0, outcome.stderr


def test_a_command_that_needs_a_server_says_how_to_get_one():
    outcome = manage("showmigrations")

    assert outcome.returncode == 1
    assert outcome.stderr == (
        "There is no database: start one with `make run`, or set DATABASE_URL and REDIS_URL.\n"
    )
