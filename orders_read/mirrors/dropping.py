"""Drop a mirror: nothing is shown, nothing is fed, and its documents are deleted."""

import psycopg

from outbox import actions
from outbox.changes import MOVE as ANNOUNCE
from outbox.connection import connect
from outbox.publishers import lanes

from ..stores.choice import Chosen
from . import building, record
from .building import Work, alone

FORGET = """
WITH lanes AS (
    SELECT subscriber, subscriber || ' ' || partition || '/' || partitions AS name
      FROM publishers CROSS JOIN LATERAL generate_series(0, partitions - 1) AS partition
     WHERE subscriber = $1::text
), checkpoint AS (
    DELETE FROM checkpoints USING lanes WHERE checkpoints.subscriber = lanes.name
), failure AS (
    DELETE FROM delivery_failures WHERE subscriber = $1::text
), letter AS (
    DELETE FROM dead_letters WHERE subscriber = $1::text
)
DELETE FROM publishers WHERE subscriber = $1::text
"""


def drop(mirror: Chosen, actor: str, reason: str = "") -> None:
    """Drop a mirror, whatever state it is in; raises MirrorAtWork, and StoreUnavailable while its store is away."""
    with connect(f"drop {mirror.subscriber}"[:63]) as connection, alone(connection, mirror):
        mirror.store.hide()
        for one in record.generations(connection, mirror.subscriber):
            record.change(connection, mirror.subscriber, one.generation, "retired")
        building.drop_retired(Work(connection=connection, mirror=mirror))
        with connection.transaction():
            lanes.hold(connection, mirror.subscriber)
            psycopg.RawCursor(connection).execute(FORGET, [mirror.subscriber])
            actions.record(connection, actor, "drop_mirror", mirror.subscriber, reason)
        connection.execute(ANNOUNCE)
