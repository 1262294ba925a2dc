"""When the last slice of the continuous verification ended, and how long it took."""

from django.db import migrations

SLICES = """
CREATE TABLE verification_slices (
    is_last     boolean     NOT NULL PRIMARY KEY CHECK (is_last),
    finished_at timestamptz NOT NULL,
    seconds     float8      NOT NULL
)
"""


class Migration(migrations.Migration):
    dependencies = [("orders_read", "0004_shop_overview")]
    operations = [migrations.RunSQL(SLICES, "DROP TABLE verification_slices")]
