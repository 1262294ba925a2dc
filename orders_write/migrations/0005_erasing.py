"""Orders can forget who got them."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("orders_write", "0004_idempotency_keys_age")]
    operations = [migrations.RunSQL((SQL / "save_batch.sql").read_text(), migrations.RunSQL.noop)]
