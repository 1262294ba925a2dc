"""The admin shows generations, checkpoints, rebuilds and verifications, and changes none of them."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from outbox.delivery import Delivery
from tests.outbox.test_admin import page
from tests.outbox.world import World

REBUILD = """
INSERT INTO projection_rebuilds (projection, generation, actor, reason) VALUES ('seen', 2, 'shell:ada', 'a new column')
RETURNING rebuild_id
"""
VERIFICATION = """
INSERT INTO projection_verifications (projection, generation, shadow, letters, rows_different, findings)
VALUES ('seen', 1, 2, '', 1, '[{"table": "seen", "key": [7], "columns": ["versions"]}]') RETURNING verification_id
"""
KINDS = ["generationstanding", "checkpointstanding", "rebuildrecord", "verificationrecord"]


@pytest.fixture
def staff(world: World) -> Client:
    """Give a client of a superuser."""
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root", password="secret"))
    return client


@pytest.fixture
def keys(world: World) -> dict[str, object]:
    """Give a row of each kind: where the projection `seen` stands, and what was done with it."""
    world.commit((7, 1), (8, 1))
    Delivery(world.worker()).drain()
    ((rebuild,),), ((verification,),) = world.ask(REBUILD), world.ask(VERIFICATION)
    return dict(zip(KINDS, ["seen 1", "seen 1", rebuild, verification], strict=True))


def test_generations_are_listed_with_their_position(staff: Client, keys: dict[str, object]) -> None:
    text = page(staff, "generationstanding_changelist", q="see")
    assert "1 generation" in text
    assert ">live</td>" in text
    assert ">2</td>" in text


def test_a_subscriber_has_one_checkpoint_however_often_it_moved(
    staff: Client, keys: dict[str, object], world: World
) -> None:
    world.commit((7, 2))
    Delivery(world.worker()).drain()
    text = page(staff, "checkpointstanding_changelist", q="seen")
    assert "1 checkpoint" in text
    assert ">3</td>" in text


def test_a_rebuild_and_a_verification_can_be_looked_at(staff: Client, keys: dict[str, object]) -> None:
    assert "a new column" in page(staff, "rebuildrecord_changelist", phase="folding")
    found = page(staff, "verificationrecord_change", keys["verificationrecord"])
    assert "versions" in found


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_can_be_added_changed_or_deleted(staff: Client, keys: dict[str, object], kind: str) -> None:
    key = keys[kind]
    assert staff.get(reverse(f"admin:outbox_{kind}_add")).status_code == 403
    assert staff.post(reverse(f"admin:outbox_{kind}_change", args=[key]), {}).status_code == 403
    assert staff.post(reverse(f"admin:outbox_{kind}_delete", args=[key]), {}).status_code == 403
