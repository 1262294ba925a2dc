"""The functions that lock and read for a batch of commands, and write what it changed."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("orders_write", "0002_guards")]
    operations = [
        migrations.RunSQL((SQL / "load_batch.sql").read_text(), "DROP FUNCTION load_batch"),
        migrations.RunSQL((SQL / "save_batch.sql").read_text(), "DROP FUNCTION save_batch"),
    ]
