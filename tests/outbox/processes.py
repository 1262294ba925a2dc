"""Real processes of manage.py on the database of a test."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import quote

import pytest
from django.conf import settings as django_settings
from django.db import connection

from tests.outbox.world import World

WORKER = ["manage.py", "rqworker", "delivery", "--worker-class", "outbox.worker.DeliveryWorker"]
POLLER = ["manage.py", "run_delivery", "--interval", "0.05"]
PUBLISHERS = ["manage.py", "run_publishers"]
STOP_SECONDS = 10

Start = Callable[..., "subprocess.Popen[str]"]


@contextmanager
def processes(database: str) -> Iterator[Start]:
    """Lend a function that starts a process on a database; all are killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def run(command: list[str], redis_url: str) -> subprocess.Popen[str]:
        environment = os.environ | {"DATABASE_URL": database, "REDIS_URL": redis_url}
        environment["DJANGO_SETTINGS_MODULE"] = "tests.outbox.worker_settings"
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=django_settings.BASE_DIR,
            env=environment,
            stderr=subprocess.STDOUT,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def start(bare_world: World) -> Iterator[Start]:
    """Give a function that starts a process of manage.py on the database of the test."""
    with processes(database_url()) as run:
        yield run


def database_url() -> str:
    known = connection.settings_dict
    return f"postgresql://{known['USER']}:{quote(known['PASSWORD'])}@{known['HOST']}:{known['PORT']}/{known['NAME']}"


def ends_softly(process: "subprocess.Popen[str]", number: signal.Signals = signal.SIGTERM) -> str:
    """Ask a process for its end, check that it comes in peace and in time, and return what it said."""
    process.send_signal(number)
    output, _ = process.communicate(timeout=STOP_SECONDS)
    assert process.returncode == 0, output
    assert "Traceback" not in output
    return output
