"""The doctor misses workers, migrations and subscribers, and knows how large the tables are."""

import json
from collections.abc import Callable
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection

from outbox.checks import check_database
from outbox.doctor import sizes
from outbox.doctor.findings import Finding, Severity, size, span
from outbox.heartbeats import PUBLISHERS, Heartbeat
from outbox.management.commands import doctor
from tests.outbox.conftest import Subscribe
from tests.outbox.doctor.conftest import found, ids
from tests.outbox.test_heartbeats import AGE
from tests.outbox.test_lag import PAUSE, PUBLISH, deliver
from tests.outbox.world import World, seen

known = seen("known")
unbuilt = seen("unbuilt")
HERE = __name__


@pytest.fixture(autouse=True)
def own_subscribers(outbox_settings: Callable[..., None]) -> None:
    """Let the settings name only what the test feeds."""
    outbox_settings(SUBSCRIBERS=[f"{HERE}.known"], SLA_SECONDS={}, PUBLISHERS={})


@pytest.fixture
def fed(bare_world: World, subscribe: Subscribe) -> World:
    """Give a world in which what the settings name is fed."""
    subscribe(known)
    return bare_world


def run(*arguments: str) -> tuple[int, str]:
    out, code = StringIO(), 0
    try:
        call_command("doctor", *arguments, stdout=out)
    except SystemExit as exit_:
        code = int(str(exit_.code))
    return code, out.getvalue()


def test_where_both_name_the_same_there_are_no_strangers(fed: World) -> None:
    assert not {one for one in ids() if one.startswith("doctor.D4")}


def test_a_projection_that_nobody_built_is_named(fed: World, outbox_settings: Callable[..., None]) -> None:
    outbox_settings(SUBSCRIBERS=[f"{HERE}.known", f"{HERE}.unbuilt"])

    (finding,) = found("doctor.D401")

    assert (finding.severity, "'unbuilt'" in finding.what) == (Severity.ERROR, True)


def test_a_projection_with_only_a_generation_in_the_making_is_not_built(
    bare_world: World, subscribe: Subscribe
) -> None:
    subscribe(known, state="building")

    assert len(found("doctor.D401")) == 1


def test_a_projection_that_the_settings_do_not_name_is_named(fed: World, subscribe: Subscribe) -> None:
    subscribe(seen("stranger"))

    (finding,) = found("doctor.D402")

    assert "'stranger'" in finding.what


def test_a_publisher_without_code_is_named(fed: World, outbox_settings: Callable[..., None]) -> None:
    fed.ask(PUBLISH, "parcels.example", 1, 0)

    (finding,) = found("doctor.D403")
    outbox_settings(PUBLISHERS={"test": "somewhere.else"})

    fed.watcher.execute("UPDATE publishers SET is_enabled = false")
    assert found("doctor.D403") == []
    fed.watcher.execute("UPDATE publishers SET is_enabled = true")
    assert "'parcels.example' is of the kind 'test'" in finding.what
    assert found("doctor.D403") == []


def test_a_pause_of_nobody_is_named(fed: World) -> None:
    fed.ask(PAUSE, "known", "for a while")
    fed.ask(PAUSE, "knwon", "for a while")

    (finding,) = found("doctor.D404")

    assert "'knwon'" in finding.what


def test_an_sla_of_nobody_is_named(fed: World, outbox_settings: Callable[..., None]) -> None:
    fed.ask(PUBLISH, "parcels.example", 1, 0)
    outbox_settings(SLA_SECONDS={"default": 5, "known": 1, "parcels.example": 60, "knwon": 1})

    (finding,) = found("doctor.D405")

    assert "'knwon'" in finding.what
    assert "doctor.D405" in [message.id for message in check_database(None, databases=["default"])]


def test_mistakes_in_the_settings_are_told(fed: World, outbox_settings: Callable[..., None]) -> None:
    outbox_settings(STALL_SECONDS=-1, BELL_TIMEOUT_SECONDS=1)

    assert [one.severity for one in (*found("outbox.E003"), *found("outbox.W001"))] == [
        Severity.ERROR,
        Severity.WARNING,
    ]


def test_a_migration_that_is_not_applied_is_named(fed: World) -> None:
    newest = (
        "SELECT max(name) FROM django_migrations WHERE app = 'orders_read'"  # no other app of ours needs it
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM django_migrations WHERE app = 'orders_read' AND name = ({newest}) RETURNING *"
        )
        row = cursor.fetchone()
        try:
            (finding,) = found("doctor.D501")
        finally:
            cursor.execute(
                "INSERT INTO django_migrations OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s)", row
            )

    assert (finding.severity, f"orders_read.{row[2]}" in finding.what) == (Severity.ERROR, True)
    assert found("doctor.D501") == []


def test_sizes_are_told_and_need_no_mending(fed: World) -> None:
    fed.commit((1, 1))
    deliver(fed)

    told = {finding.what.partition(":")[0] for finding in found("doctor.D601")}

    assert told >= {"outbox", "checkpoints"}
    assert {finding.severity for finding in found("doctor.D601")} == {Severity.INFO}


def test_dead_rows_of_the_outbox_are_named(fed: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "MOST_DEAD_ROWS", 20)
    holder = fed.writer()
    holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    holder.execute("SELECT count(*) FROM outbox")
    fed.commit(*((1, version) for version in range(1, 51)))
    fed.watcher.execute("DELETE FROM outbox")
    fed.watcher.execute("SELECT pg_stat_force_next_flush()")

    named = [finding for finding in found("doctor.D602") if finding.what.startswith("outbox:")]

    assert [finding.severity for finding in named] == [Severity.WARNING]
    assert "VACUUM outbox" in named[0].mend


def test_the_reach_of_the_log_is_told(fed: World) -> None:
    (empty,) = found("doctor.D603")
    fed.commit((1, 1), (1, 2))
    deliver(fed)
    (filled,) = found("doctor.D603")

    assert empty.what.endswith("no events.")
    assert "positions 1 to 2, since 20" in filled.what


def test_that_no_worker_lives_is_an_error(fed: World) -> None:
    (finding,) = found("doctor.D701")

    assert (finding.severity, "run_delivery" in finding.mend) == (Severity.ERROR, True)


def test_a_process_that_only_publishes_is_no_worker(fed: World) -> None:
    Heartbeat(PUBLISHERS).beat(fed.watcher)

    assert len(found("doctor.D701")) == 1


def test_a_worker_that_lives_is_not_missed(fed: World) -> None:
    Heartbeat("run_delivery").beat(fed.watcher)

    assert ids().isdisjoint({"doctor.D701", "doctor.D702"})


def test_a_worker_that_fell_silent_is_missed(fed: World) -> None:
    Heartbeat("run_delivery").beat(fed.watcher)
    fed.ask(AGE, 600.0)
    Heartbeat("rqworker").beat(fed.watcher)

    (finding,) = found("doctor.D702")

    assert (finding.severity, "run_delivery" in finding.what, "10 min" in finding.what) == (
        Severity.WARNING,
        True,
        True,
    )
    assert found("doctor.D701") == []


def test_a_role_that_sees_little_is_told_so(fed: World) -> None:
    guest = f"guest_{uuid4().hex}"  # roles are the whole server's
    fed.watcher.execute(f"CREATE ROLE {guest}")
    with connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {guest}")
        try:
            findings = found("doctor.D003")
        finally:
            cursor.execute("RESET ROLE")
    fed.watcher.execute(f"DROP ROLE {guest}")

    assert [finding.severity for finding in findings] == [Severity.INFO]


@pytest.mark.parametrize(
    ("severity", "code"), [(Severity.INFO, 0), (Severity.WARNING, 1), (Severity.ERROR, 2)]
)
def test_the_worst_finding_decides_the_exit_code(
    fed: World, monkeypatch: pytest.MonkeyPatch, severity: Severity, code: int
) -> None:
    findings = [
        Finding("doctor.D000", severity, "it hurts", "rest"),
        Finding("doctor.D001", Severity.INFO, "8 kB", ""),
    ]
    monkeypatch.setattr(doctor, "examine", lambda: findings)

    assert (run()[0], run("--json")[0]) == (code, code)


def test_people_read_what_is_wrong_and_how_to_mend_it_the_worst_first(fed: World) -> None:
    code, page = run()

    lines = page.splitlines()
    severities = [line.split()[0] for line in lines if line.split()[1:2] and "doctor.D" in line.split()[1]]
    assert code == 2
    assert severities == sorted(severities, key=["ERROR", "WARNING", "INFO"].index)
    assert any(line.startswith("ERROR    doctor.D701  No worker") for line in lines)
    assert any(line.strip().startswith("mend: start a worker") for line in lines)
    assert lines[-1].endswith("findings to mend, the worst first.")


def test_machines_read_the_same(fed: World) -> None:
    report: dict[str, Any] = json.loads(run("--json")[1])

    assert set(report) == {"severity", "findings"}
    assert report["severity"] == "error"
    assert all(set(one) == {"id", "severity", "what", "mend"} for one in report["findings"])
    assert "doctor.D701" in [one["id"] for one in report["findings"]]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (119, "119 s"), (300, "5 min"), (9_000, "2.5 h")]
)
def test_times_are_written_for_people(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(("octets", "text"), [(8_192, "8 kB"), (5 * 2**20, "5 MB")])
def test_sizes_are_written_for_people(octets: int, text: str) -> None:
    assert size(octets) == text
