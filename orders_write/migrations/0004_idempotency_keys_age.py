"""Old answers of callers are found by their age, those to files are kept; the table is swept early, as what is added is deleted again after its time."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

STORAGE = """
ALTER TABLE idempotency_keys SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.1)
"""


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders_write", "0003_batches")]
    operations = [
        AddIndexConcurrently(
            "idempotencykey",
            models.Index(
                fields=["created_at"],
                name="idempotency_keys_created_at",
                condition=models.Q(("scope__startswith", "import:"), _negated=True),
            ),
        ),
        migrations.RunSQL(
            STORAGE,
            "ALTER TABLE idempotency_keys RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_scale_factor)",
        ),
    ]
