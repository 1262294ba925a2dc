"""Outbox, event log, checkpoints and generations. Written as SQL, because partitions, identities and triggers are the point."""

from django.db import migrations, models

ENVELOPE = """
    event_id          uuid        NOT NULL,
    event_type        text        NOT NULL,
    schema_version    smallint    NOT NULL CHECK (schema_version >= 1),
    aggregate_type    text        NOT NULL,
    aggregate_id      bigint      NOT NULL,
    aggregate_version bigint      NOT NULL CHECK (aggregate_version >= 1),
    payload           jsonb       NOT NULL,
    metadata          jsonb       NOT NULL,
    occurred_at       timestamptz NOT NULL,
    recorded_at       timestamptz NOT NULL
"""

# CACHE 1: a session must not hold identities back, or a later event of an aggregate could get the lower one.
# STORAGE MAIN: most payloads compress below a page; out-of-line storage would double the writes of a move.
OUTBOX = f"""
CREATE TABLE outbox (
    message_id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY,
    {ENVELOPE}
);
ALTER TABLE outbox ALTER COLUMN recorded_at SET DEFAULT clock_timestamp();
ALTER TABLE outbox ALTER COLUMN payload SET STORAGE MAIN;
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);
"""

EVENT_LOG = f"""
CREATE TABLE event_log (
    position   bigint NOT NULL PRIMARY KEY CHECK (position >= 1),
    message_id bigint NOT NULL,
    {ENVELOPE}
) PARTITION BY RANGE (position);
ALTER TABLE event_log ALTER COLUMN payload SET STORAGE MAIN;
CREATE INDEX event_log_message_id ON event_log (message_id);
CREATE INDEX event_log_aggregate ON event_log (aggregate_type, aggregate_id, aggregate_version);
"""

# Personal data never enters a payload: erasing a person deletes rows here and leaves the log as it is.
EVENT_PERSONAL = """
CREATE TABLE event_personal (
    event_id   uuid  NOT NULL PRIMARY KEY,
    subject_id bigint,
    data       jsonb NOT NULL
);
CREATE INDEX event_personal_subject ON event_personal (subject_id);
"""

# A TRUNCATE trigger is not inherited by partitions: the relay adds it to each one that it makes.
APPEND_ONLY = """
CREATE FUNCTION event_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'event_log is append-only: % refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON event_log
    FOR EACH ROW EXECUTE FUNCTION event_log_is_append_only();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON event_log
    FOR EACH STATEMENT EXECUTE FUNCTION event_log_is_append_only();
"""

# Insert-only: the insert is the compare-and-set. A row updated in place would grow dead versions under an old snapshot.
DELIVERY = """
CREATE TABLE projection_generations (
    projection      text        NOT NULL,
    generation      integer     NOT NULL CHECK (generation >= 1),
    version         integer     NOT NULL CHECK (version >= 1),
    state           text        NOT NULL CHECK (state IN ('building', 'live', 'kept')),
    statements      jsonb       NOT NULL,
    statements_hash text        NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (projection, generation)
);
CREATE UNIQUE INDEX projection_generations_one_live ON projection_generations (projection) WHERE state = 'live';
CREATE TABLE checkpoints (
    subscriber    text        NOT NULL,
    generation    integer     NOT NULL,
    from_position bigint      NOT NULL CHECK (from_position >= 0),
    to_position   bigint      NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (subscriber, generation, from_position),
    CHECK (to_position > from_position)
);
CREATE TABLE delivery_failures (
    subscriber      text        NOT NULL,
    generation      integer     NOT NULL,
    from_position   bigint      NOT NULL,
    attempts        integer     NOT NULL,
    error_type      text        NOT NULL,
    error_message   text        NOT NULL,
    first_failed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_failed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    next_attempt_at timestamptz NOT NULL,
    PRIMARY KEY (subscriber, generation)
);
"""

# A restored or copied database is another history: tokens of the old one must not be believed.
EPOCH = """
CREATE TABLE log_epoch (
    only_row          boolean     NOT NULL PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch             uuid        NOT NULL,
    system_identifier text        NOT NULL,
    timeline          bigint      NOT NULL,
    log_oid           oid         NOT NULL,
    renewed_at        timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""

# Guards an aggregate's table: each change carries the message that tells of it. The message is found by primary key.
# Deferred, because row and message are written by different statements of one transaction.
REQUIRE_MESSAGE = """
CREATE FUNCTION outbox_require_message() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed jsonb := to_jsonb(NEW);
    id bigint := (changed ->> TG_ARGV[1])::bigint;
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.version <= OLD.version OR NEW.last_message_id <= OLD.last_message_id) THEN
        RAISE EXCEPTION 'a change of % % must raise version and last_message_id', TG_TABLE_NAME, id
            USING ERRCODE = 'integrity_constraint_violation', HINT = 'Change it through a command.';
    END IF;
    PERFORM FROM outbox
     WHERE message_id = NEW.last_message_id AND aggregate_type = TG_ARGV[0]
       AND aggregate_id = id AND aggregate_version = NEW.version;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a change of % % to version % has no event', TG_TABLE_NAME, id, NEW.version
            USING ERRCODE = 'integrity_constraint_violation', HINT = 'Change it through a command.';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION outbox_refuse_removal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% refused on %: what happened is not removed', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation', HINT = 'Undo it through a command.';
END $$;
"""

DROP = """
DROP FUNCTION outbox_refuse_removal, outbox_require_message;
DROP TABLE log_epoch, delivery_failures, checkpoints, projection_generations, event_log, event_personal, outbox;
DROP FUNCTION event_log_is_append_only;
"""

ENVELOPE_FIELDS = [
    ("event_id", models.UUIDField()),
    ("event_type", models.TextField()),
    ("schema_version", models.SmallIntegerField()),
    ("aggregate_type", models.TextField()),
    ("aggregate_id", models.BigIntegerField()),
    ("aggregate_version", models.BigIntegerField()),
    ("payload", models.JSONField()),
    ("metadata", models.JSONField()),
    ("occurred_at", models.DateTimeField()),
    ("recorded_at", models.DateTimeField()),
]


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.RunSQL(
            OUTBOX + EVENT_LOG + EVENT_PERSONAL + APPEND_ONLY + DELIVERY + EPOCH + REQUIRE_MESSAGE,
            DROP,
        ),
        migrations.CreateModel(
            name="OutboxMessage",
            fields=[
                ("message_id", models.BigIntegerField(primary_key=True, serialize=False)),
                *ENVELOPE_FIELDS,
            ],
            options={
                "managed": False,
                "db_table": "outbox",
                "verbose_name": "message in the outbox",
                "verbose_name_plural": "messages in the outbox",
            },
        ),
        migrations.CreateModel(
            name="LoggedEvent",
            fields=[
                ("position", models.BigIntegerField(primary_key=True, serialize=False)),
                ("message_id", models.BigIntegerField()),
                *ENVELOPE_FIELDS,
            ],
            options={"managed": False, "db_table": "event_log", "verbose_name": "event"},
        ),
        migrations.CreateModel(
            name="Generation",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "projection",
                        "generation",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("projection", models.TextField()),
                ("generation", models.IntegerField()),
                ("version", models.IntegerField()),
                (
                    "state",
                    models.TextField(choices=[("building", "Building"), ("live", "Live"), ("kept", "Kept")]),
                ),
                ("statements", models.JSONField()),
                ("statements_hash", models.TextField()),
                ("created_at", models.DateTimeField()),
            ],
            options={"managed": False, "db_table": "projection_generations"},
        ),
    ]
