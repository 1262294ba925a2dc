"""Mirrors: publishers that keep documents of a read model in another store, and must not run ahead of it."""

from django.db import migrations

# Partitions by a key of the payload, where documents are not aggregates; an empty `partition_by` goes by the aggregate.
PARTITION = """
ALTER TABLE publishers ADD COLUMN partition_by text NOT NULL DEFAULT '';
CREATE FUNCTION outbox_event_partition(
    aggregate_type text, aggregate_id bigint, payload jsonb, partition_by text, partitions integer) RETURNS integer
IMMUTABLE PARALLEL SAFE LANGUAGE sql
RETURN CASE WHEN partition_by = '' THEN outbox_partition(aggregate_type, aggregate_id, partitions)
            ELSE outbox_partition(partition_by, coalesce((payload ->> partition_by)::bigint, aggregate_id), partitions) END;
"""

# A build of a mirror in its store, made from one generation of a projection, whose checkpoint it must not pass.
# `seeded_to` is the greatest document key that was copied.
GENERATIONS = """
CREATE TABLE mirror_generations (
    subscriber        text        NOT NULL REFERENCES publishers ON DELETE CASCADE,
    generation        integer     NOT NULL,
    projection        text        NOT NULL,
    source_generation integer     NOT NULL,
    state             text        NOT NULL CHECK (state IN ('building', 'live', 'retired')),
    seeded_to         bigint      NOT NULL DEFAULT -9223372036854775808,
    documents         bigint      NOT NULL DEFAULT 0,
    created_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (subscriber, generation)
);
CREATE UNIQUE INDEX mirror_generations_building ON mirror_generations (subscriber) WHERE state = 'building';
CREATE UNIQUE INDEX mirror_generations_live ON mirror_generations (subscriber) WHERE state = 'live';
"""

# What changed in a mirrored read model behind the back of the log: an event that was folded late, or a mended row.
TOUCHED = """
CREATE TABLE touched_documents (
    touch_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscriber   text   NOT NULL REFERENCES publishers ON DELETE CASCADE,
    position     bigint,
    document_key bigint,
    CHECK (num_nonnulls(position, document_key) = 1)
);
CREATE FUNCTION outbox_touch_documents() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO touched_documents (subscriber, position)
    SELECT DISTINCT mirror.subscriber, OLD.position FROM mirror_generations AS mirror
     WHERE projection = OLD.subscriber AND source_generation = OLD.generation AND mirror.state <> 'retired';
    RETURN NULL;
END $$;
CREATE TRIGGER dead_letters_touch_documents AFTER UPDATE ON dead_letters FOR EACH ROW
    WHEN (OLD.state IN ('waiting', 'parked')
          AND (NEW.position <> OLD.position OR NEW.state IN ('delivered', 'skipped')))
    EXECUTE FUNCTION outbox_touch_documents();
"""

DROP = """
DROP TRIGGER dead_letters_touch_documents ON dead_letters;
DROP FUNCTION outbox_touch_documents, outbox_event_partition;
DROP TABLE touched_documents, mirror_generations;
ALTER TABLE publishers DROP COLUMN partition_by;
"""


class Migration(migrations.Migration):
    dependencies = [("outbox", "0006_rebuilds")]
    operations = [migrations.RunSQL(PARTITION + GENERATIONS + TOUCHED, DROP)]
