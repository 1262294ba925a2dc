"""What the admin shows of generations, checkpoints, rebuilds and verifications; the first two by a key of one column."""

from django.db import migrations, models

VIEWS = """
CREATE VIEW generation_standings AS
SELECT projection || ' ' || generation AS standing_id, projection, generation, version, state, statements_hash,
       coalesce((SELECT to_position FROM checkpoints
                  WHERE subscriber = projection AND checkpoints.generation = fed.generation
                  ORDER BY from_position DESC LIMIT 1), 0) AS position,
       created_at, drop_after
  FROM projection_generations AS fed;
CREATE VIEW checkpoint_standings AS
SELECT DISTINCT ON (subscriber, generation) subscriber || ' ' || generation AS standing_id, subscriber, generation,
       to_position AS position, created_at AS moved_at
  FROM checkpoints ORDER BY subscriber, generation, from_position DESC;
"""
DROP = "DROP VIEW generation_standings, checkpoint_standings"


class Migration(migrations.Migration):
    dependencies = [("outbox", "0007_mirrors")]
    operations = [
        migrations.RunSQL(VIEWS, DROP),
        migrations.CreateModel(
            name="GenerationStanding",
            fields=[
                ("standing_id", models.TextField(primary_key=True, serialize=False)),
                ("projection", models.TextField()),
                ("generation", models.IntegerField()),
                ("version", models.IntegerField()),
                ("state", models.TextField()),
                ("statements_hash", models.TextField()),
                ("position", models.BigIntegerField()),
                ("created_at", models.DateTimeField()),
                ("drop_after", models.DateTimeField(null=True)),
            ],
            options={"managed": False, "db_table": "generation_standings", "verbose_name": "generation"},
        ),
        migrations.CreateModel(
            name="CheckpointStanding",
            fields=[
                ("standing_id", models.TextField(primary_key=True, serialize=False)),
                ("subscriber", models.TextField()),
                ("generation", models.IntegerField()),
                ("position", models.BigIntegerField()),
                ("moved_at", models.DateTimeField()),
            ],
            options={"managed": False, "db_table": "checkpoint_standings", "verbose_name": "checkpoint"},
        ),
        migrations.CreateModel(
            name="RebuildRecord",
            fields=[
                ("rebuild_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("projection", models.TextField()),
                ("generation", models.IntegerField()),
                ("phase", models.TextField()),
                ("events_done", models.BigIntegerField()),
                ("events_total", models.BigIntegerField()),
                ("folding_seconds", models.FloatField()),
                ("actor", models.TextField()),
                ("reason", models.TextField()),
                ("worker", models.TextField()),
                ("error", models.TextField()),
                ("cancel_requested", models.BooleanField()),
                ("started_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={"managed": False, "db_table": "projection_rebuilds", "verbose_name": "rebuild"},
        ),
        migrations.CreateModel(
            name="VerificationRecord",
            fields=[
                ("verification_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("projection", models.TextField()),
                ("generation", models.IntegerField()),
                ("shadow", models.IntegerField()),
                ("position", models.BigIntegerField()),
                ("rows_compared", models.BigIntegerField()),
                ("rows_different", models.BigIntegerField()),
                ("rows_repaired", models.BigIntegerField()),
                ("findings", models.JSONField()),
                ("started_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={"managed": False, "db_table": "projection_verifications", "verbose_name": "verification"},
        ),
    ]
