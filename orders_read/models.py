"""The read models as Django sees them: views, filled by folds only, for filters and the admin."""

from typing import Any

from django.db import models


def _money(*, null: bool = False) -> "models.DecimalField[Any, Any]":
    return models.DecimalField(max_digits=20, decimal_places=4, null=null)


class OrderDetails(models.Model):
    """One order as a document, with its timeline."""

    order_id = models.BigIntegerField(primary_key=True)
    user_id = models.BigIntegerField(null=True)
    document = models.JSONField()
    row_version = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "read_order_details"
        verbose_name = verbose_name_plural = "order details"

    def __str__(self) -> str:
        return f"Order {self.order_id}"


class OrderSearch(models.Model):
    """One order as a flat row, for lists and searches."""

    order_id = models.BigIntegerField(primary_key=True)
    user_id = models.BigIntegerField(null=True)
    source = models.TextField()
    reference = models.TextField(null=True)
    status = models.TextField()
    customer_number = models.TextField(null=True)
    customer_name = models.TextField(null=True)
    country = models.TextField()
    currency = models.TextField()
    placed_at = models.DateTimeField()
    total = _money()
    paid = _money()
    returned = _money()
    open_amount = _money()
    units = models.BigIntegerField()
    lines = models.IntegerField()
    first_item = models.TextField()
    version = models.BigIntegerField()
    row_version = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "read_order_search"
        verbose_name = "order"
        ordering = ("-placed_at", "-order_id")

    def __str__(self) -> str:
        return f"Order {self.reference or self.order_id}"


class UserDashboard(models.Model):
    """How one customer stands with us."""

    user_id = models.BigIntegerField(primary_key=True)
    customer_number = models.TextField(null=True)
    orders = models.BigIntegerField()
    lines = models.BigIntegerField()
    units = models.BigIntegerField()
    spent = _money()
    credit_notes = models.BigIntegerField()
    units_returned = models.BigIntegerField()
    returned = _money()
    cancelled = _money()
    paid = _money()
    open_amount = _money()
    orders_confirmed = models.BigIntegerField()
    orders_paid = models.BigIntegerField()
    orders_shipped = models.BigIntegerField()
    orders_delivered = models.BigIntegerField()
    orders_cancelled = models.BigIntegerField()
    credit_limit = _money(null=True)
    first_order_at = models.DateTimeField(null=True)
    last_order_at = models.DateTimeField(null=True)
    last_order_id = models.BigIntegerField(null=True)
    last_order_reference = models.TextField(null=True)
    row_version = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "read_user_dashboard"
        verbose_name = "dashboard"

    def __str__(self) -> str:
        return f"Customer {self.customer_number or self.user_id}"


class DailyRevenue(models.Model):
    """What was sold, taken back and cancelled on a day, in a category and country."""

    pk = models.CompositePrimaryKey("day", "category", "country")
    day = models.DateField()
    category = models.TextField()
    country = models.TextField()
    lines = models.BigIntegerField()
    units = models.BigIntegerField()
    gross = _money()
    lines_returned = models.BigIntegerField()
    units_returned = models.BigIntegerField()
    returned = _money()
    units_cancelled = models.BigIntegerField()
    cancelled = _money()
    row_version = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "read_daily_revenue"
        verbose_name = verbose_name_plural = "daily revenue"

    def __str__(self) -> str:
        return f"{self.day} {self.category} {self.country}"


class DailyOrders(models.Model):
    """How many orders, credit notes and cancellations a day had in a country."""

    pk = models.CompositePrimaryKey("day", "country")
    day = models.DateField()
    country = models.TextField()
    orders = models.BigIntegerField()
    credit_notes = models.BigIntegerField()
    cancellations = models.BigIntegerField()
    row_version = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "read_daily_orders"
        verbose_name = verbose_name_plural = "daily orders"

    def __str__(self) -> str:
        return f"{self.day} {self.country}"


class ProductSales(models.Model):
    """What one SKU sold, and what came back of it."""

    sku = models.TextField(primary_key=True)
    name = models.TextField()
    category = models.TextField()
    orders = models.BigIntegerField()
    lines = models.BigIntegerField()
    units = models.BigIntegerField()
    gross = _money()
    credit_notes = models.BigIntegerField()
    units_returned = models.BigIntegerField()
    returned = _money()
    units_cancelled = models.BigIntegerField()
    cancelled = _money()
    row_version = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "read_product_sales"
        verbose_name = verbose_name_plural = "product sales"

    def __str__(self) -> str:
        return self.sku


class ProductCatalogue(models.Model):
    """What can be bought. Rows without a price were ordered before the news of their listing came: not shown."""

    product_id = models.BigIntegerField(primary_key=True)
    sku = models.TextField(null=True)
    name = models.TextField(null=True)
    category = models.TextField(null=True)
    price = _money(null=True)
    retired = models.BooleanField(null=True)
    available = models.BigIntegerField()
    version = models.BigIntegerField(null=True)
    row_version = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "read_product_catalogue"
        verbose_name = "product"

    def __str__(self) -> str:
        return self.sku or str(self.product_id)
