"""Tables of the naive twin: those that the orders need, an outbox with a flag, and three read models."""

from django.conf import settings
from django.db import models


class Money(models.DecimalField):
    """As precise as the real one."""

    def __init__(self, **options: object) -> None:
        super().__init__(**{"max_digits": 14, "decimal_places": 4} | options)


class Product(models.Model):
    sku = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=200)
    category = models.CharField(max_length=64)
    price = Money()
    stock = models.BigIntegerField()


class Order(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    reference = models.CharField(max_length=64, unique=True)
    country = models.CharField(max_length=64)
    total = Money()
    created_at = models.DateTimeField()


class Item(models.Model):
    order = models.ForeignKey(Order, models.PROTECT, related_name="items")
    line_no = models.IntegerField()
    product = models.ForeignKey(Product, models.PROTECT)
    qty = models.IntegerField()
    price = Money()
    returned_qty = models.IntegerField(default=0)


class CreditNote(models.Model):
    reference = models.CharField(max_length=64, unique=True)
    total = Money()
    created_at = models.DateTimeField()


class RequestKey(models.Model):
    key = models.CharField(max_length=200, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)


class Event(models.Model):
    """An outbox as it is often made: a row stays, and a flag says that it was published."""

    kind = models.CharField(max_length=64)
    payload = models.JSONField()
    created_at = models.DateTimeField()
    published = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(fields=["id"], condition=models.Q(published=False), name="naive_event_unpublished")
        ]


class OrderDocument(models.Model):
    order_id = models.BigIntegerField(primary_key=True)
    document = models.JSONField()


class DailyRevenue(models.Model):
    day = models.DateField()
    category = models.CharField(max_length=64)
    country = models.CharField(max_length=64)
    units = models.BigIntegerField(default=0)
    gross = Money(default=0)
    returned = Money(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["day", "category", "country"], name="naive_daily_revenue_key")
        ]


class ProductSales(models.Model):
    sku = models.CharField(max_length=64, primary_key=True)
    units = models.BigIntegerField(default=0)
    gross = Money(default=0)
    returned = Money(default=0)
