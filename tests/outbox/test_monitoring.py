"""The document on monitoring names every status, field, metric and finding, and no other."""

import re
from pathlib import Path

import pytest
from django.conf import settings

from outbox.alarms import RINGING
from outbox.lag import Status
from outbox.metrics import DeliveryCollector
from tests.outbox.test_delivery_status import FIELDS, REPORT
from tests.outbox.world import World

TEXT = (Path(settings.BASE_DIR) / "docs" / "monitoring.md").read_text()
CODE = "\n".join(
    path.read_text() for path in sorted((Path(settings.BASE_DIR) / "outbox" / "doctor").glob("*.py"))
)
FINDING = re.compile(r"doctor\.D\d{3}")
VERIFIED = """
INSERT INTO projection_verifications (projection, generation, shadow, letters, finished_at)
VALUES ('seen', 1, 2, '', now())
"""
METRIC = re.compile(r"\boutbox_[a-z_]+\b")


@pytest.mark.parametrize("status", Status)
def test_each_status_has_a_row_with_its_exit_code(status: Status) -> None:
    row = next(line for line in TEXT.splitlines() if line.startswith(f"| `{status.name.lower()}` |"))

    cells = [cell.strip() for cell in row.strip("|").split("|")]

    assert cells[1] == str(status.exit_code)
    assert bool(cells[3]) == (status in RINGING)


@pytest.mark.parametrize("field", sorted(FIELDS | REPORT))
def test_each_field_of_the_json_is_explained(field: str) -> None:
    assert f"`{field}`" in TEXT


def test_each_finding_of_the_doctor_is_listed() -> None:
    listed = [row for row in TEXT.splitlines() if row.startswith("| `doctor.")]

    assert sorted(FINDING.findall("\n".join(listed))) == sorted(set(FINDING.findall(CODE)))


@pytest.mark.usefixtures("world")
def test_each_metric_is_listed_and_no_other(world: World) -> None:
    world.watcher.execute(
        "INSERT INTO delivery_workers VALUES (gen_random_uuid(), 'run_delivery', 'here', 1)"
    )
    world.watcher.execute(VERIFIED)
    made = {sample.name for family in DeliveryCollector().collect() for sample in family.samples} | {
        "outbox_publisher_breaker"
    }  # where there is a publisher

    assert set(METRIC.findall(TEXT)) == made
