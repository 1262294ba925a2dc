"""When the code and a live generation differ, a check and `delivery_status` say so, and what to run."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.checks.database import Tags
from pytest_django import Settings

from outbox import versions
from outbox.delivery import Delivery
from outbox.lag import Status, look
from outbox.subscribers import Projection
from tests.mutants import versions as mutants
from tests.outbox.conftest import Subscribe
from tests.outbox.guarantees import Broken, expect
from tests.outbox.test_delivery_status import status
from tests.outbox.test_lag import heart as heart  # noqa: PLC0414 – a fixture
from tests.outbox.world import SEEN, World, seen

today = seen("today")
newer = replace(today, version=2)
mended = seen("today", SEEN.replace("ORDER BY aggregate_id\n", "ORDER BY 1\n"))
HERE = "tests.outbox.test_versions"

Difference = Callable[[str, int, int, str], str]


@pytest.fixture
def deployed(bare_world: World, subscribe: Subscribe, settings: Settings) -> Callable[[str], World]:
    """Give a function that deploys a code beside the live generation of `today`; returns the world."""
    subscribe(today)

    def deploy(name: str) -> World:
        settings.OUTBOX = settings.OUTBOX | {"SUBSCRIBERS": [f"{HERE}.{name}"]}
        if name == "older":
            bare_world.watcher.execute("UPDATE projection_generations SET version = 2")
        return bare_world

    return deploy


older = today
CODES = {
    "today": "",
    "newer": "has version 1, the code 2: `manage.py rebuild_projection today` shows what the code has",
    "older": "has version 2, newer than the code's 1: deploy that code, or `manage.py rollback_projection today`",
    "mended": "is folded by another text of version 1 than the code's",
}


def notes_of(difference: Difference, projection: Projection, world: World) -> str:
    ((generation, version, digest),) = world.ask(
        "SELECT generation, version, statements_hash FROM projection_generations WHERE projection = $1",
        projection.name,
    )
    return difference(projection.name, generation, version, digest)


@pytest.mark.parametrize(("code", "note"), CODES.items())
def test_delivery_status_says_how_code_and_generation_differ_and_what_to_run(
    deployed: Callable[[str], World], heart: Any, code: str, note: str
) -> None:
    deployed(code)
    (lag,) = (one for one in look().subscribers if one.subscriber == "today")
    exit_code, text = status()
    (told,) = (
        one["version_note"]
        for one in json.loads(status("--json")[1])["subscribers"]
        if one["subscriber"] == "today"
    )
    assert lag.version_note.startswith(note)
    assert bool(lag.version_note) == bool(note)
    assert (told, told in text) == (lag.version_note, True)
    assert (lag.status, exit_code) == (Status.OK, 0)  # a note: delivery goes on with the old generation


@pytest.mark.parametrize("code", CODES)
def test_a_check_of_the_database_says_so_too(deployed: Callable[[str], World], code: str) -> None:
    deployed(code)
    found = [
        one for one in run_checks(tags=[Tags.database], databases=["default"]) if one.id == "outbox.W002"
    ]
    assert len(found) == (code != "today")
    assert all("today" in str(one.msg) and "manage.py" in str(one.hint) for one in found)


def tells_every_difference(deployed: Callable[[str], World], difference: Difference) -> None:
    for code, projection in (("newer", newer), ("mended", mended)):
        world = deployed(code)
        expect(bool(notes_of(difference, projection, world)), True)


def test_every_difference_is_told(deployed: Callable[[str], World]) -> None:
    tells_every_difference(deployed, versions.difference)


@pytest.mark.parametrize("mutant", [mutants.by_version_alone, mutants.by_text_alone])
def test_who_compares_otherwise_is_caught(deployed: Callable[[str], World], mutant: Difference) -> None:
    with pytest.raises(Broken):
        tells_every_difference(deployed, mutant)


def test_a_live_generation_goes_on_under_newer_code(deployed: Callable[[str], World]) -> None:
    world = deployed("newer")
    world.commit((1, 1))
    Delivery(world.worker()).drain()
    assert world.versions("today") == {1: [1]}
