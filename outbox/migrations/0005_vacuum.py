"""Tables through which rows only pass are vacuumed after so many dead rows, however few live ones there are."""

from django.db import migrations

# By what a round or two of a busy minute leave; a share of a table that is mostly empty would say nothing.
DEAD_ROWS = {"checkpoints": 1000, "delivery_attempts": 1000, "delivery_failures": 200, "delivery_workers": 200}


def settings(table: str, dead_rows: int) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = {dead_rows})",
        f"ALTER TABLE {table} RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold)",
    )


class Migration(migrations.Migration):
    dependencies = [("outbox", "0004_webhooks")]
    operations = [settings(table, dead_rows) for table, dead_rows in DEAD_ROWS.items()]
