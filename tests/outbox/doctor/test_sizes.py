"""The doctor tells of partitions that left the log, and of one that is neither in it nor out of it."""

import psycopg
import pytest

from outbox import partitions, retention
from outbox.doctor.findings import Severity
from outbox.exceptions import LogIsRead
from outbox.relay import Relay
from tests.outbox.world import World

from .conftest import found, ids


def fill(world: World) -> partitions.Partition:
    """Fill a partition of the log and begin another; give the first."""
    world.commit(*((1, version) for version in range(1, 16)))
    relay, connection = Relay(), world.worker()
    while relay.run_once(connection):
        pass
    return partitions.attached(psycopg.RawCursor(connection))[0]


def test_detached_partitions_are_told(small_partitions: World) -> None:
    first = fill(small_partitions)
    assert ids().isdisjoint({"doctor.D604", "doctor.D605"})
    retention.detach(small_partitions.watcher, first, 5)

    (finding,) = found("doctor.D604")

    assert "1 partition," in finding.what
    assert "attach_events" in finding.mend


def test_a_half_detached_partition_is_to_be_finished(small_partitions: World) -> None:
    first = fill(small_partitions)
    reader = small_partitions.writer()
    reader.execute("SELECT * FROM event_log")
    with pytest.raises(LogIsRead):
        retention.detach(small_partitions.watcher, first, 0.1)
    reader.rollback()

    (finding,) = found("doctor.D605")

    assert (finding.severity, "event_log_p1 " in finding.what) == (Severity.WARNING, True)
