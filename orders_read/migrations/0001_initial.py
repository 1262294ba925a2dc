"""The first read models."""

from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations

from orders_read.generations import CreateReadModels


class Migration(migrations.Migration):
    initial = True
    dependencies = [("outbox", "0001_initial")]
    operations = [
        TrigramExtension(),
        CreateReadModels(
            "order_details",
            "order_search",
            "user_dashboard",
            "daily_revenue",
            "product_sales",
            "product_catalogue",
        ),
    ]
