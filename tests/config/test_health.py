"""Load balancers learn whether a process lives and whether it can serve."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from django.db import connection
from django.db.utils import OperationalError
from django.test import RequestFactory
from pytest_django import Settings

from config import health
from outbox.connection import django_connection
from outbox.heartbeats import Heartbeat
from outbox.lag import Status


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    health._migrated.clear()
    yield
    health._migrated.clear()


def ready() -> tuple[int, dict[str, str]]:
    response = health.ready(RequestFactory().get("/health/ready"))
    return response.status_code, json.loads(response.content)


def test_a_process_that_answers_lives() -> None:
    response = health.live(RequestFactory().get("/health/live"))
    assert (response.status_code, json.loads(response.content)) == (200, {"status": "ok"})


def test_with_everything_there_a_process_is_ready(database: None, redis_server: redis.Redis) -> None:
    Heartbeat("run_delivery").beat(django_connection())
    parts = {"database": "ok", "migrations": "ok", "redis": "ok", "delivery": "ok"}
    assert ready() == (200, {"status": "ok", **parts})


def test_without_redis_a_process_is_degraded_and_ready(database: None, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    code, report = ready()
    assert (code, report["status"], report["redis"]) == (200, "degraded", "unreachable")


def test_without_a_worker_a_process_is_degraded_and_ready(database: None, redis_server: redis.Redis) -> None:
    code, report = ready()
    assert (code, report["status"], report["delivery"]) == (200, "degraded", "not_running")


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OK])
def test_whatever_is_the_matter_with_delivery_degrades_and_no_more(
    database: None, redis_server: redis.Redis, monkeypatch: pytest.MonkeyPatch, status: Status
) -> None:
    monkeypatch.setattr(health.lag, "worst", lambda: status)
    code, report = ready()
    assert (code, report["status"], report["delivery"]) == (200, "degraded", status.name.lower())


def test_tables_that_somebody_locked_degrade(
    database: None,
    redis_server: redis.Redis,
    second_connection: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health.lag, "LIMITS", "SET LOCAL lock_timeout = '50ms'")
    second_connection().execute("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")
    code, report = ready()
    assert (code, report["status"], report["delivery"]) == (200, "degraded", "locked")


def test_without_migrations_a_process_is_not_ready(database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health.MigrationExecutor, "migration_plan", lambda *_: ["one"])
    assert ready() == (503, {"status": "unavailable", "database": "ok", "migrations": "not applied"})


def test_without_database_a_process_is_not_ready(database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: object) -> str:
        raise OperationalError

    monkeypatch.setattr(health, "MigrationExecutor", away)
    assert ready() == (503, {"status": "unavailable", "database": "unreachable"})
    assert connection.connection is None
