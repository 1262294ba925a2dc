"""The function that locks and reads for a batch of commands."""

from pathlib import Path

from django.db import migrations

LOAD_BATCH = Path(__file__).parent.parent / "sql" / "load_batch.sql"


class Migration(migrations.Migration):
    dependencies = [("orders_write", "0002_guards")]
    operations = [migrations.RunSQL(LOAD_BATCH.read_text(), "DROP FUNCTION load_batch")]
