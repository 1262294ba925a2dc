"""What operators and failures need: dead letters, attempts, pauses, who did what, heart-beats, alarms, publishers."""

from django.db import migrations

# An attempt that a dead worker left behind is found by the position it began at, so nothing is updated or deleted by a
# round, and an old snapshot does not make looking dearer.
ATTEMPTS = """
CREATE TABLE delivery_attempts (
    members       text[]      NOT NULL,
    from_position bigint      NOT NULL,
    to_position   bigint      NOT NULL,
    owner         uuid        NOT NULL,
    began_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (to_position > from_position)
);
CREATE INDEX delivery_attempts_from_position ON delivery_attempts (from_position);
"""

# waiting: tried again by itself; parked: waits for a person; either way the aggregate's later events wait behind it.
# With a reason to skip it, its subscriber steps over it the next time, instead of trying.
DEAD_LETTERS = """
CREATE TABLE dead_letters (
    dead_letter_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscriber        text        NOT NULL,
    generation        integer     NOT NULL,
    position          bigint      NOT NULL,
    event_type        text        NOT NULL,
    schema_version    smallint    NOT NULL,
    aggregate_type    text        NOT NULL,
    aggregate_id      bigint      NOT NULL,
    aggregate_version bigint      NOT NULL,
    state             text        NOT NULL CHECK (state IN ('waiting', 'parked', 'delivered', 'skipped')),
    attempts          integer     NOT NULL CHECK (attempts >= 1),
    error_type        text        NOT NULL,
    error_message     text        NOT NULL,
    fingerprint       text        NOT NULL,
    skip_reason       text,
    first_failed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_failed_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    next_attempt_at   timestamptz,
    settled_at        timestamptz,
    CHECK ((state = 'waiting') = (next_attempt_at IS NOT NULL)),
    CHECK ((state IN ('delivered', 'skipped')) = (settled_at IS NOT NULL))
);
CREATE UNIQUE INDEX dead_letters_open ON dead_letters (subscriber, generation, aggregate_type, aggregate_id)
 WHERE state IN ('waiting', 'parked');
CREATE INDEX dead_letters_due ON dead_letters (next_attempt_at) WHERE state = 'waiting';
"""

PAUSES = """
CREATE TABLE paused_subscribers (
    subscriber text        NOT NULL PRIMARY KEY,
    reason     text        NOT NULL CHECK (reason <> ''),
    actor      text        NOT NULL,
    paused_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""

ACTIONS = """
CREATE TABLE operator_actions (
    action_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    acted_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor     text        NOT NULL,
    action    text        NOT NULL,
    subject   text        NOT NULL,
    reason    text        NOT NULL DEFAULT '',
    details   jsonb       NOT NULL DEFAULT '{}'
);
CREATE TRIGGER operator_actions_stay BEFORE UPDATE OR DELETE ON operator_actions
    FOR EACH ROW EXECUTE FUNCTION outbox_refuse_removal();
"""

# Moves whenever somebody changes what delivery has to do: an idle worker compares it instead of reading tables.
CHANGES = "CREATE SEQUENCE delivery_changes;"

WORKERS = """
CREATE TABLE delivery_workers (
    worker_id  uuid        NOT NULL PRIMARY KEY,
    kind       text        NOT NULL,
    host       text        NOT NULL,
    pid        integer     NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    beat_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE alarm_episodes (
    episode_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject    text        NOT NULL,
    kind       text        NOT NULL,
    detail     text        NOT NULL,
    began_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at   timestamptz
);
CREATE UNIQUE INDEX alarm_episodes_open ON alarm_episodes (subject, kind) WHERE ended_at IS NULL;
"""

# Subscribers outside this database. Each partition has a checkpoint of its own, named `<subscriber> <partition>/<partitions>`.
PUBLISHERS = """
CREATE TABLE publishers (
    subscriber    text        NOT NULL PRIMARY KEY,
    kind          text        NOT NULL,
    partitions    integer     NOT NULL DEFAULT 1 CHECK (partitions BETWEEN 1 AND 64),
    from_position bigint      NOT NULL DEFAULT 0 CHECK (from_position >= 0),
    is_enabled    boolean     NOT NULL DEFAULT true,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""

# Raised in the transaction of a round, so that the round is undone: an event that nobody knows is never stepped over.
# What is parked for a subscriber already is left out.
KNOWN = """
CREATE FUNCTION outbox_refuse_unknown(
    from_position bigint, to_position bigint, known text[], subscriber text, generation integer) RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    unknown event_log;
BEGIN
    SELECT * INTO unknown FROM event_log AS event
     WHERE event.position > $1 AND event.position <= $2 AND event.event_type || ' ' || event.schema_version <> ALL ($3)
       AND NOT EXISTS (
           SELECT FROM dead_letters AS letter
            WHERE letter.subscriber = $4 AND letter.generation = $5 AND letter.state IN ('waiting', 'parked')
              AND letter.aggregate_type = event.aggregate_type AND letter.aggregate_id = event.aggregate_id)
     ORDER BY event.position LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'no code knows % in schema version %', unknown.event_type, unknown.schema_version
            USING ERRCODE = 'OB001', DETAIL = unknown.position;
    END IF;
END $$;
"""

# Who fails is fed by itself: `to_position` is the end of the range that it failed at.
FAILURES = "ALTER TABLE delivery_failures ADD COLUMN to_position bigint NOT NULL DEFAULT 0;"

DROP = """
ALTER TABLE delivery_failures DROP COLUMN to_position;
DROP FUNCTION outbox_refuse_unknown;
DROP TABLE publishers, alarm_episodes, delivery_workers, operator_actions, paused_subscribers, dead_letters,
           delivery_attempts;
DROP SEQUENCE delivery_changes;
"""


class Migration(migrations.Migration):
    dependencies = [("outbox", "0001_initial")]
    operations = [
        migrations.RunSQL(
            ATTEMPTS + DEAD_LETTERS + PAUSES + ACTIONS + CHANGES + WORKERS + PUBLISHERS + KNOWN + FAILURES, DROP
        ),
    ]
