"""What the admin shows of the tables of 0002: dead letters and operators' actions."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("outbox", "0002_operations")]
    operations = [
        migrations.CreateModel(
            name="DeadLetter",
            fields=[
                ("dead_letter_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("subscriber", models.TextField()),
                ("generation", models.IntegerField()),
                ("position", models.BigIntegerField()),
                ("event_type", models.TextField()),
                ("schema_version", models.SmallIntegerField()),
                ("aggregate_type", models.TextField()),
                ("aggregate_id", models.BigIntegerField()),
                ("aggregate_version", models.BigIntegerField()),
                (
                    "state",
                    models.TextField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("parked", "Parked"),
                            ("delivered", "Delivered"),
                            ("skipped", "Skipped"),
                        ]
                    ),
                ),
                ("attempts", models.IntegerField()),
                ("error_type", models.TextField()),
                ("error_message", models.TextField()),
                ("fingerprint", models.TextField()),
                ("first_failed_at", models.DateTimeField()),
                ("last_failed_at", models.DateTimeField()),
                ("next_attempt_at", models.DateTimeField(null=True)),
                ("settled_at", models.DateTimeField(null=True)),
            ],
            options={"managed": False, "db_table": "dead_letters", "verbose_name": "dead letter"},
        ),
        migrations.CreateModel(
            name="OperatorAction",
            fields=[
                ("action_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("acted_at", models.DateTimeField()),
                ("actor", models.TextField()),
                ("action", models.TextField()),
                ("subject", models.TextField()),
                ("reason", models.TextField()),
                ("details", models.JSONField()),
            ],
            options={
                "managed": False,
                "db_table": "operator_actions",
                "verbose_name": "operator's action",
                "verbose_name_plural": "operators' actions",
            },
        ),
    ]
