"""Rebuilds and verifications: how far each has come; and how long a generation is kept after it was replaced."""

from django.db import migrations

REBUILDS = """
CREATE TABLE projection_rebuilds (
    rebuild_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    projection       text        NOT NULL,
    generation       integer     NOT NULL,
    phase            text        NOT NULL DEFAULT 'folding' CHECK (phase IN (
                                 'folding', 'indexing', 'catching up', 'verifying', 'ready', 'swapped', 'cancelled')),
    is_finished      boolean     NOT NULL GENERATED ALWAYS AS (phase IN ('swapped', 'cancelled')) STORED,
    events_done      bigint      NOT NULL DEFAULT 0,
    events_total     bigint      NOT NULL DEFAULT 0,
    indexes_done     integer     NOT NULL DEFAULT 0,
    folding_seconds  float8      NOT NULL DEFAULT 0,
    actor            text        NOT NULL,
    reason           text        NOT NULL DEFAULT '',
    worker           text        NOT NULL DEFAULT '',
    error            text        NOT NULL DEFAULT '',
    cancel_requested boolean     NOT NULL DEFAULT false,
    started_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at      timestamptz,
    CHECK ((phase IN ('swapped', 'cancelled')) = (finished_at IS NOT NULL))
);
CREATE UNIQUE INDEX projection_rebuilds_unfinished ON projection_rebuilds (projection)
 WHERE phase NOT IN ('swapped', 'cancelled');
ALTER TABLE projection_generations ADD COLUMN drop_after timestamptz;
"""

# `shadow` is the generation that is built to be compared and dropped; `position` is where both stood when they were.
VERIFICATIONS = """
CREATE TABLE projection_verifications (
    verification_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    projection      text        NOT NULL,
    generation      integer     NOT NULL,
    shadow          integer     NOT NULL,
    letters         text        NOT NULL,
    position        bigint      NOT NULL DEFAULT 0,
    rows_compared   bigint      NOT NULL DEFAULT 0,
    rows_different  bigint      NOT NULL DEFAULT 0,
    rows_repaired   bigint      NOT NULL DEFAULT 0,
    findings        jsonb       NOT NULL DEFAULT '[]',
    started_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at     timestamptz
);
CREATE INDEX projection_verifications_newest ON projection_verifications (projection, verification_id DESC);
"""

DROP = """
ALTER TABLE projection_generations DROP COLUMN drop_after;
DROP TABLE projection_verifications, projection_rebuilds;
"""


class Migration(migrations.Migration):
    dependencies = [("outbox", "0005_vacuum")]
    operations = [migrations.RunSQL(REBUILDS + VERIFICATIONS, DROP)]
