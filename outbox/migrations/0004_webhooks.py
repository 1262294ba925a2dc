"""The partition of an aggregate, endpoints that get signed webhooks, and what became of each call."""

import django.contrib.postgres.fields
import django.db.models.functions.datetime
from django.db import migrations, models

# Which partition an aggregate belongs to. One function, so that no process and no language can see it differently; the
# sign bit is cleared, as a remainder may be negative.
PARTITION = """
CREATE FUNCTION outbox_partition(aggregate_type text, aggregate_id bigint, partitions integer) RETURNS integer
IMMUTABLE PARALLEL SAFE LANGUAGE sql
RETURN ((hashtextextended(aggregate_type || ' ' || aggregate_id::text, 0) & 9223372036854775807) % partitions)::integer;
"""

# The address, secrets and wishes of a publisher of the kind `webhook`. An empty list of event types wants all of them.
ENDPOINTS = """
CREATE TABLE webhook_endpoints (
    subscriber            text        NOT NULL PRIMARY KEY REFERENCES publishers,
    url                   text        NOT NULL,
    description           text        NOT NULL DEFAULT '',
    event_types           text[]      NOT NULL DEFAULT '{}',
    with_personal         boolean     NOT NULL DEFAULT false,
    secret                text        NOT NULL CHECK (secret LIKE 'whsec\\_%'),
    previous_secret       text        NOT NULL DEFAULT '',
    previous_secret_until timestamptz,
    disabled_reason       text        NOT NULL DEFAULT '',
    created_at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((previous_secret = '') = (previous_secret_until IS NULL))
);
"""

# A row for each call; `position` is NULL for a test event. Swept after a time, so no row of it is ever updated.
DELIVERIES = """
CREATE TABLE webhook_deliveries (
    delivery_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscriber        text             NOT NULL,
    position          bigint,
    event_id          uuid             NOT NULL,
    event_type        text             NOT NULL,
    aggregate_type    text             NOT NULL,
    aggregate_id      bigint           NOT NULL,
    aggregate_version bigint           NOT NULL,
    outcome           text             NOT NULL
                      CHECK (outcome IN ('delivered', 'refused', 'unavailable', 'gone')),
    response_status   smallint,
    error             text             NOT NULL DEFAULT '',
    duration_seconds  double precision NOT NULL,
    attempted_at      timestamptz      NOT NULL
);
CREATE INDEX webhook_deliveries_subscriber ON webhook_deliveries (subscriber, delivery_id);
CREATE INDEX webhook_deliveries_event ON webhook_deliveries (event_id);
CREATE INDEX webhook_deliveries_attempted_at ON webhook_deliveries (attempted_at);
"""

DROP = "DROP TABLE webhook_deliveries, webhook_endpoints; DROP FUNCTION outbox_partition;"


class Migration(migrations.Migration):
    dependencies = [("outbox", "0003_operator_models")]
    operations = [
        migrations.RunSQL(PARTITION + ENDPOINTS + DELIVERIES, DROP),
        migrations.CreateModel(
            name="PublisherRow",
            fields=[
                ("subscriber", models.TextField(primary_key=True, serialize=False)),
                ("kind", models.TextField()),
                ("partitions", models.IntegerField(default=1)),
                ("from_position", models.BigIntegerField(default=0)),
                ("is_enabled", models.BooleanField(default=True)),
            ],
            options={"verbose_name": "publisher", "db_table": "publishers", "managed": False},
        ),
        migrations.CreateModel(
            name="WebhookDelivery",
            fields=[
                ("delivery_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("subscriber", models.TextField(verbose_name="endpoint")),
                ("position", models.BigIntegerField(null=True)),
                ("event_id", models.UUIDField()),
                ("event_type", models.TextField()),
                ("aggregate_type", models.TextField()),
                ("aggregate_id", models.BigIntegerField()),
                ("aggregate_version", models.BigIntegerField()),
                (
                    "outcome",
                    models.TextField(
                        choices=[
                            ("delivered", "Delivered"),
                            ("refused", "Refused"),
                            ("unavailable", "Unavailable"),
                            ("gone", "Gone"),
                        ]
                    ),
                ),
                ("response_status", models.SmallIntegerField(null=True)),
                ("error", models.TextField(default="")),
                ("duration_seconds", models.FloatField()),
                ("attempted_at", models.DateTimeField()),
            ],
            options={
                "verbose_name_plural": "webhook deliveries",
                "db_table": "webhook_deliveries",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="WebhookEndpoint",
            fields=[
                ("subscriber", models.TextField(primary_key=True, serialize=False)),
                ("url", models.TextField()),
                ("description", models.TextField(default="")),
                (
                    "event_types",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(), default=list, size=None
                    ),
                ),
                ("with_personal", models.BooleanField(default=False)),
                ("secret", models.TextField()),
                ("previous_secret", models.TextField(default="")),
                ("previous_secret_until", models.DateTimeField(null=True)),
                ("disabled_reason", models.TextField(default="")),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "db_table": "webhook_endpoints",
                "permissions": [("reveal_webhook_secret", "Can see the secrets of webhook endpoints")],
                "managed": False,
            },
        ),
    ]
