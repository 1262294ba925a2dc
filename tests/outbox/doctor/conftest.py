"""Fixtures of the doctor: no threshold of time, and an examination that gives findings by their ids."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from outbox.doctor import horizon, locks
from outbox.doctor.examination import examine
from outbox.doctor.findings import Finding

Connect = Callable[[], Any]


def found(finding_id: str) -> list[Finding]:
    """Examine, and give the findings of one kind."""
    return [finding for finding in examine() if finding.id == finding_id]


def ids() -> set[str]:
    """Examine, and say which kinds of findings there are."""
    return {finding.id for finding in examine()}


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is young count as old."""
    monkeypatch.setattr(horizon, "OLD_SECONDS", 0)
    monkeypatch.setattr(locks, "WAIT_SECONDS", 0)
    monkeypatch.setattr(locks, "KEPT_SECONDS", 0)


@pytest.fixture
def outbox_settings(settings: Settings) -> Callable[..., None]:
    """Give a function that changes settings of the outbox."""

    def change(**changes: Any) -> None:
        settings.OUTBOX = settings.OUTBOX | changes

    return change


@pytest.fixture
def anew(database: None) -> Iterator[Callable[[], None]]:
    """Give a function that lets Django connect anew, as settings of a database are read by new sessions only."""
    yield connection.close
    connection.close()
