"""The first read models."""

from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations, models

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
        migrations.CreateModel(
            name="DailyOrders",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "day", "country", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("day", models.DateField()),
                ("country", models.TextField()),
                ("orders", models.BigIntegerField()),
                ("credit_notes", models.BigIntegerField()),
                ("cancellations", models.BigIntegerField()),
                ("row_version", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "daily orders",
                "verbose_name_plural": "daily orders",
                "db_table": "read_daily_orders",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="DailyRevenue",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "day",
                        "category",
                        "country",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("day", models.DateField()),
                ("category", models.TextField()),
                ("country", models.TextField()),
                ("lines", models.BigIntegerField()),
                ("units", models.BigIntegerField()),
                ("gross", models.DecimalField(decimal_places=4, max_digits=20)),
                ("lines_returned", models.BigIntegerField()),
                ("units_returned", models.BigIntegerField()),
                ("returned", models.DecimalField(decimal_places=4, max_digits=20)),
                ("units_cancelled", models.BigIntegerField()),
                ("cancelled", models.DecimalField(decimal_places=4, max_digits=20)),
                ("row_version", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "daily revenue",
                "verbose_name_plural": "daily revenue",
                "db_table": "read_daily_revenue",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="OrderDetails",
            fields=[
                ("order_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("user_id", models.BigIntegerField(null=True)),
                ("document", models.JSONField()),
                ("row_version", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "order details",
                "verbose_name_plural": "order details",
                "db_table": "read_order_details",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="OrderSearch",
            fields=[
                ("order_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("user_id", models.BigIntegerField(null=True)),
                ("source", models.TextField()),
                ("reference", models.TextField(null=True)),
                ("status", models.TextField()),
                ("customer_number", models.TextField(null=True)),
                ("customer_name", models.TextField(null=True)),
                ("country", models.TextField()),
                ("currency", models.TextField()),
                ("placed_at", models.DateTimeField()),
                ("total", models.DecimalField(decimal_places=4, max_digits=20)),
                ("paid", models.DecimalField(decimal_places=4, max_digits=20)),
                ("returned", models.DecimalField(decimal_places=4, max_digits=20)),
                ("open_amount", models.DecimalField(decimal_places=4, max_digits=20)),
                ("units", models.BigIntegerField()),
                ("lines", models.IntegerField()),
                ("first_item", models.TextField()),
                ("version", models.BigIntegerField()),
                ("row_version", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "order",
                "db_table": "read_order_search",
                "ordering": ("-placed_at", "-order_id"),
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="ProductCatalogue",
            fields=[
                ("product_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("sku", models.TextField(null=True)),
                ("name", models.TextField(null=True)),
                ("category", models.TextField(null=True)),
                ("price", models.DecimalField(decimal_places=4, max_digits=20, null=True)),
                ("retired", models.BooleanField(null=True)),
                ("available", models.BigIntegerField()),
                ("version", models.BigIntegerField(null=True)),
                ("row_version", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "product",
                "db_table": "read_product_catalogue",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="ProductSales",
            fields=[
                ("sku", models.TextField(primary_key=True, serialize=False)),
                ("name", models.TextField()),
                ("category", models.TextField()),
                ("orders", models.BigIntegerField()),
                ("lines", models.BigIntegerField()),
                ("units", models.BigIntegerField()),
                ("gross", models.DecimalField(decimal_places=4, max_digits=20)),
                ("credit_notes", models.BigIntegerField()),
                ("units_returned", models.BigIntegerField()),
                ("returned", models.DecimalField(decimal_places=4, max_digits=20)),
                ("units_cancelled", models.BigIntegerField()),
                ("cancelled", models.DecimalField(decimal_places=4, max_digits=20)),
                ("row_version", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "product sales",
                "verbose_name_plural": "product sales",
                "db_table": "read_product_sales",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="UserDashboard",
            fields=[
                ("user_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("customer_number", models.TextField(null=True)),
                ("orders", models.BigIntegerField()),
                ("lines", models.BigIntegerField()),
                ("units", models.BigIntegerField()),
                ("spent", models.DecimalField(decimal_places=4, max_digits=20)),
                ("credit_notes", models.BigIntegerField()),
                ("units_returned", models.BigIntegerField()),
                ("returned", models.DecimalField(decimal_places=4, max_digits=20)),
                ("cancelled", models.DecimalField(decimal_places=4, max_digits=20)),
                ("paid", models.DecimalField(decimal_places=4, max_digits=20)),
                ("open_amount", models.DecimalField(decimal_places=4, max_digits=20)),
                ("orders_confirmed", models.BigIntegerField()),
                ("orders_paid", models.BigIntegerField()),
                ("orders_shipped", models.BigIntegerField()),
                ("orders_delivered", models.BigIntegerField()),
                ("orders_cancelled", models.BigIntegerField()),
                ("credit_limit", models.DecimalField(decimal_places=4, max_digits=20, null=True)),
                ("first_order_at", models.DateTimeField(null=True)),
                ("last_order_at", models.DateTimeField(null=True)),
                ("last_order_id", models.BigIntegerField(null=True)),
                ("last_order_reference", models.TextField(null=True)),
                ("row_version", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "dashboard",
                "db_table": "read_user_dashboard",
                "managed": False,
            },
        ),
    ]
