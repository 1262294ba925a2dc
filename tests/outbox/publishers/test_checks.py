"""Mistakes in the settings of publishers are named when Django starts."""

from typing import Any

import pytest
from django.core.checks import run_checks
from pytest_django import Settings

from outbox.publishers.checks import check_publishers


@pytest.mark.parametrize(
    ("change", "ids"),
    [
        ({}, []),
        ({"PUBLISHERS": ["webhook"]}, ["outbox.E040"]),
        ({"PUBLISHERS": {"webhook": "no.such.thing"}}, ["outbox.E041"]),
        ({"PUBLISHERS": {"webhook": 7}}, ["outbox.E041"]),
        ({"PUBLISHERS": {"webhook": "outbox.publishers.webhooks.WebhookTarget"}}, ["outbox.E041"]),
        ({"WEBHOOK_ALLOWED_NETWORKS": ["10.0.0.0/8", "fd00::/8"]}, []),
        ({"WEBHOOK_ALLOWED_NETWORKS": ["10.0.0.1/8"]}, ["outbox.E042"]),
        ({"WEBHOOK_ALLOWED_NETWORKS": "10.0.0.0/8"}, ["outbox.E042"]),
        ({"WEBHOOK_RETRY_SECONDS": 5}, ["outbox.E043"]),
        ({"WEBHOOK_RETRY_SECONDS": [5, "60"]}, ["outbox.E043"]),
        ({"WEBHOOK_RETRY_SECONDS": []}, []),
    ],
    ids=str,
)
def test_a_mistake_is_named(settings: Settings, change: dict[str, Any], ids: list[str]) -> None:
    settings.OUTBOX = settings.OUTBOX | change
    found = check_publishers(None)
    assert [one.id for one in found] == ids
    assert all(one.hint for one in found)


def test_django_runs_the_checks(settings: Settings) -> None:
    settings.OUTBOX = settings.OUTBOX | {"PUBLISHERS": {"webhook": "no.such.thing"}}
    assert "outbox.E041" in [one.id for one in run_checks(tags=["outbox"])]
