"""Mistakes in the settings are told with an id and a hint."""

from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.checks import run_checks
from pytest_django import Settings

from outbox.checks import check_settings
from outbox.subscribers import Table
from tests.outbox.world import seen

good = seen("good")
twin = seen("good")
empty = replace(good, name="empty", tables=())
no_batch = seen("no_batch", "INSERT INTO {table} VALUES (1)")
names_the_log = seen("names_the_log", "INSERT INTO {table} SELECT * FROM batch, event_log")
no_table = seen("no_table", "INSERT INTO read_x SELECT * FROM batch")
fixed_index = replace(
    good,
    name="fixed_index",
    tables=(
        Table(name="f", columns_ddl="", fold=good.tables[0].fold, indexes=("CREATE INDEX x ON read_f (a)",)),
    ),
)

HERE = "tests.outbox.test_checks"


@pytest.mark.parametrize(
    ("change", "ids"),
    [
        ({}, []),
        ({"SUBSCRIBERS": [f"{HERE}.good"]}, []),
        ({"SUBSCRIBER": []}, ["outbox.E002"]),
        ({"BATCH_SIZE": 0}, ["outbox.E003"]),
        ({"LINGER_SECONDS": "5"}, ["outbox.E003"]),
        ({"BELL_TIMEOUT_SECONDS": 2}, ["outbox.W001"]),
        ({"KEEP_EVENTS_DAYS": 365}, []),
        ({"CHORES": ["a.chore"]}, ["outbox.E030"]),
        ({"CHORES": {"orders_write.sweeping.sweep_idempotency_keys": 0}}, ["outbox.E031"]),
        ({"CHORES": {"orders_write.sweeping.SWEEP": 60}}, ["outbox.E032"]),
        ({"CHORES": {"no.such.chore": 60}}, ["outbox.E032"]),
        ({"KEEP_EVENTS_DAYS": "365"}, ["outbox.E003"]),
        ({"SLA_SECONDS": 10}, ["outbox.E012"]),
        ({"SLA_SECONDS": {"default": 0}}, ["outbox.E013"]),
        ({"SLA_SECONDS": {"default": "10"}}, ["outbox.E013"]),
        ({"ALARM_HOOK": "no.such.thing"}, ["outbox.E014"]),
        ({"ALARM_HOOK": f"{HERE}.HERE"}, ["outbox.E014"]),
        ({"ALARM_HOOK": "nowhere"}, ["outbox.E014"]),
        ({"SLA_SECONDS": {"order_detail": 2}, "PUBLISHERS": {}}, ["outbox.E015"]),
        ({"SLA_SECONDS": {"good": 2, "default": 1}, "SUBSCRIBERS": [f"{HERE}.good"]}, []),
        ({"STALL_SECONDS": -1}, ["outbox.E003"]),
        ({"STALLED_SECONDS": 60}, ["outbox.E002"]),
        ({"QUEUE": "nowhere"}, ["outbox.E004"]),
        ({"SUBSCRIBERS": ["no.such.thing"]}, ["outbox.E006"]),
        ({"SUBSCRIBERS": [f"{HERE}.HERE"]}, ["outbox.E007"]),
        ({"SUBSCRIBERS": [f"{HERE}.good", f"{HERE}.twin"]}, ["outbox.E008", "outbox.E008"]),
        ({"SUBSCRIBERS": [f"{HERE}.empty"]}, ["outbox.E009"]),
        ({"SUBSCRIBERS": [f"{HERE}.no_batch"]}, ["outbox.E010"]),
        ({"SUBSCRIBERS": [f"{HERE}.names_the_log"]}, ["outbox.E010"]),
        ({"SUBSCRIBERS": [f"{HERE}.no_table"]}, ["outbox.E010"]),
        ({"SUBSCRIBERS": [f"{HERE}.fixed_index"]}, ["outbox.E011"]),
    ],
    ids=str,
)
def test_a_mistake_is_named(settings: Settings, change: dict[str, Any], ids: list[str]) -> None:
    settings.OUTBOX = settings.OUTBOX | {"SLA_SECONDS": {}} | change
    found = check_settings(None)
    assert [one.id for one in found] == ids
    assert all(one.hint for one in found)


def test_settings_of_another_kind_are_named(settings: Settings) -> None:
    settings.OUTBOX = ["orders"]
    assert [one.id for one in check_settings(None)] == ["outbox.E001"]


@pytest.mark.parametrize("serializer", [{}, {"SERIALIZER": "rq.serializers.DefaultSerializer"}])
def test_jobs_that_are_not_json_are_named(settings: Settings, serializer: dict[str, str]) -> None:
    settings.OUTBOX = settings.OUTBOX | {"SLA_SECONDS": {}}
    settings.RQ_QUEUES = settings.RQ_QUEUES | {"pickled": {"URL": "redis://127.0.0.1:1/0"} | serializer}
    assert [one.id for one in check_settings(None)] == ["outbox.E016"]


def test_another_database_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(django_settings.DATABASES["default"], "ENGINE", "django.db.backends.sqlite3")
    assert "outbox.E005" in [one.id for one in check_settings(None)]


def test_django_runs_the_checks(settings: Settings) -> None:
    settings.OUTBOX = settings.OUTBOX | {"BATCH_SIZE": -1}
    assert "outbox.E003" in [one.id for one in run_checks(tags=["outbox"])]
