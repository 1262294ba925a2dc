"""A product's name is the newest that an event said, also when an older event was parked and comes late."""

from django.db import migrations

from orders_read.generations import MendReadModel

# Until now the newest event that touched the row was always the one that said its name.
ADD_NAMED_AT = """
ALTER TABLE {table} ADD COLUMN IF NOT EXISTS named_at bigint NOT NULL DEFAULT 0;
UPDATE {table} SET named_at = row_version WHERE named_at = 0;
ALTER TABLE {table} ALTER COLUMN named_at DROP DEFAULT;
"""


class Migration(migrations.Migration):
    dependencies = [("orders_read", "0001_initial"), ("outbox", "0002_operations")]
    operations = [MendReadModel("product_sales", "product_sales", ADD_NAMED_AT)]
