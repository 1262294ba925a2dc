"""The shop at a glance, how far read models are, and a record of refreshes."""

from django.db import migrations

from orders_read.materialized import CreateMaterializedView, definition

# The last refresh of each view, also one that failed: the next waits four times as long as it took.
REFRESHES = """
CREATE TABLE view_refreshes (
    name        text        NOT NULL PRIMARY KEY,
    finished_at timestamptz NOT NULL,
    seconds     float8      NOT NULL,
    error       text        NOT NULL DEFAULT ''
)
"""


class Migration(migrations.Migration):
    dependencies = [("orders_read", "0003_erased_customers"), ("outbox", "0006_rebuilds")]
    operations = [
        migrations.RunSQL(REFRESHES, "DROP TABLE view_refreshes"),
        migrations.RunSQL(
            f"CREATE VIEW read_positions AS {definition('read_positions')}", "DROP VIEW read_positions"
        ),
        CreateMaterializedView("shop_overview", "row_no"),
    ]
