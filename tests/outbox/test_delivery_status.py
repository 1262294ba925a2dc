"""`delivery_status` tells people and monitoring how delivery does, and people what to do next."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, ProgrammingError
from pytest_django import Settings

from outbox import lag
from outbox.exceptions import TablesAreLocked
from outbox.heartbeats import Heartbeat
from outbox.lag import Status
from outbox.management.commands import delivery_status
from tests.outbox.processes import database_url
from tests.outbox.test_lag import (
    OLD_GENERATIONS,
    OLD_MESSAGES,
    PARK,
    PAUSE,
    STAND,
    deliver,
    fail,
    heart,  # noqa: F401 – a fixture
    no_registry,  # noqa: F401 – a fixture
)
from tests.outbox.world import World

FIELDS = {
    "kind", "subscriber", "generation", "state", "position", "head", "events_behind", "seconds_behind", "still_seconds",
    "sla_seconds", "attempts", "error", "failing_seconds", "is_put_off",
    "waiting", "parked", "paused", "status", "troubles",
    "version", "version_note", "verified_position", "verified_seconds", "rows_different",
}  # fmt: skip
REPORT = {
    "status", "exit_code", "log_head", "outbox_messages", "workers", "silent_seconds", "next", "subscribers",
}  # fmt: skip

Situation = Callable[[World], Any]


def status(*arguments: str) -> tuple[int, str]:
    out, code = StringIO(), 0
    try:
        call_command("delivery_status", *arguments, stdout=out)
    except SystemExit as exit_:
        code = int(str(exit_.code))
    return code, out.getvalue()


def well(world: World) -> None:
    """Leave all as it is."""


def retrying(world: World) -> None:
    world.ask(PARK, "seen", 1, 1, "waiting")


def behind(world: World) -> None:
    world.commit((1, 1))
    deliver(world)
    world.commit((1, 2))
    world.watcher.execute(OLD_MESSAGES)


def paused(world: World) -> None:
    world.ask(PAUSE, "seen", "the disk is full")


def parked(world: World) -> None:
    world.ask(PARK, "seen", 1, 1, "parked")


def stalled(world: World) -> None:
    world.commit((1, 1))
    world.watcher.execute(OLD_MESSAGES)
    world.watcher.execute(OLD_GENERATIONS)


def failing(world: World) -> None:
    fail(world, "seen")


def not_running(world: World) -> None:
    world.watcher.execute("DELETE FROM delivery_workers")


@pytest.mark.parametrize(
    ("situation", "found", "code", "reason", "step"),
    [
        (well, Status.OK, 0, "1 worker, last", "nothing."),
        (retrying, Status.RETRYING, 1, "1 aggregate is behind an event that failed", "list_dead_letters"),
        (behind, Status.BEHIND, 1, "s behind; its SLA allows 10 s", "look again"),
        (paused, Status.PAUSED, 1, "paused: the disk is full", "resume_delivery seen"),
        (parked, Status.PARKED, 2, "1 aggregate is parked", "retry_dead_letters"),
        (
            stalled,
            Status.STALLED,
            2,
            "has not moved for 120 s with work waiting: 1 event",
            "manage.py doctor",
        ),
        (failing, Status.FAILING, 2, "3 attempts: UndefinedTable: no such table", "mend what"),
        (not_running, Status.NOT_RUNNING, 3, "no worker runs", "run_delivery"),
    ],
)
@pytest.mark.usefixtures("heart")
def test_each_situation_has_a_status_a_code_a_reason_and_a_next_step(
    world: World, situation: Situation, found: Status, code: int, reason: str, step: str
) -> None:
    situation(world)

    left, page = status()
    report = json.loads(status("--json")[1])

    *above, last = page.strip().splitlines()
    assert (left, report["exit_code"], report["status"]) == (code, code, found.name.lower())
    assert reason in "\n".join(above)
    assert last.startswith("Next: ")
    assert step in last
    assert report["next"] in last


@pytest.mark.usefixtures("heart")
def test_a_projection_without_tables_is_named(world: World, settings: Settings) -> None:
    settings.OUTBOX = settings.OUTBOX | {"SUBSCRIBERS": ["tests.outbox.test_lag.unbuilt"]}

    code, page = status()

    assert (code, "has no live generation" in page, "manage.py migrate" in page) == (2, True, True)


@pytest.mark.usefixtures("heart")
def test_the_json_keeps_its_form(world: World) -> None:
    report = json.loads(status("--json")[1])

    assert set(report) == REPORT
    assert [set(one) for one in report["subscribers"]] == [FIELDS]


@pytest.mark.usefixtures("heart")
def test_positions_are_exact_however_large_they_are(world: World) -> None:
    world.ask(STAND, "seen", 2**53 + 1)

    assert json.loads(status("--json")[1])["subscribers"][0]["position"] == "9007199254740993"


@pytest.mark.parametrize(
    ("error", "code", "name", "step"),
    [
        (OperationalError("connection refused"), 3, "unreachable", "start PostgreSQL"),
        (ProgrammingError("no such table"), 2, "not migrated", "manage.py migrate"),
        (TablesAreLocked(), 2, "locked", "manage.py doctor"),
    ],
)
def test_a_look_that_fails_is_told_in_the_same_form(
    monkeypatch: pytest.MonkeyPatch, error: Exception, code: int, name: str, step: str
) -> None:
    def fail_to_look() -> None:
        raise error

    monkeypatch.setattr(delivery_status, "look", fail_to_look)

    left, page = status()
    report = json.loads(status("--json")[1])

    assert (left, report["exit_code"], report["status"]) == (code, code, name.replace(" ", "_"))
    assert page.startswith(f"{name}: ")
    assert step in page.splitlines()[-1]


def test_a_look_does_not_wait_for_a_lock(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lag, "LIMITS", "SET LOCAL lock_timeout = '50ms'")
    world.writer().execute("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")

    assert status()[0] == 2


@pytest.mark.parametrize("seconds", ["0", "-1", "soon"])
def test_a_pause_that_is_none_is_refused(seconds: str) -> None:
    with pytest.raises(CommandError):
        call_command("delivery_status", "--watch", seconds)


def test_watching_shows_what_changes_and_leaves_with_the_last_code(world: World) -> None:
    environment = os.environ | {
        "DATABASE_URL": database_url(),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONUNBUFFERED": "1",
    }
    watching = subprocess.Popen(
        [sys.executable, "manage.py", "delivery_status", "--watch", "0.05", "--json"],
        cwd=django_settings.BASE_DIR, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert watching.stdout
        seen = iter(watching.stdout.readline, "")
        assert any('"status": "not_running"' in line for line in seen)

        Heartbeat("run_delivery").beat(world.watcher)
        assert any('"workers": 1' in line for line in seen)

        watching.send_signal(signal.SIGINT)
        _, errors = watching.communicate(timeout=10)
    finally:
        watching.kill()
        watching.wait()
    assert (watching.returncode, errors) == (
        Status.MISSING.exit_code,
        "",
    )  # the world has put the product's aside
