"""The normalised tables of the write side: changed by commands only, with triggers and checks behind every rule."""

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from .events import Status


class MoneyField(models.DecimalField):  # type: ignore[type-arg]  # generic in the stubs only
    """NUMERIC(14,4): real prices have three decimals, and nothing is ever rounded."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_digits": 14, "decimal_places": 4} | options)


class User(AbstractUser):
    """Who logs in; `customer_number` is the shop's own, public number of a customer."""

    customer_number = models.CharField(max_length=32, unique=True, null=True, blank=True)

    class Meta:
        db_table = "users"


class Aggregate(models.Model):
    """A row that changes only together with an event of the same version (deferred trigger, see the migration)."""

    version = models.BigIntegerField()
    last_message_id = models.BigIntegerField()

    class Meta:
        abstract = True


class Product(Aggregate):
    """What the shop sells."""

    product_id = models.BigAutoField(primary_key=True)
    sku = models.CharField("SKU", max_length=64, unique=True)
    name = models.CharField(max_length=200)
    category = models.CharField(max_length=64)
    price = MoneyField()
    retired = models.BooleanField(default=False)

    class Meta:
        db_table = "products"
        constraints = [
            models.CheckConstraint(name="products_price_positive", condition=Q(price__gt=0)),
            models.CheckConstraint(name="products_sku_given", condition=~Q(sku="")),
        ]

    def __str__(self) -> str:
        return f"{self.sku} {self.name}"


class Stock(models.Model):
    """A table of its own, so that hot updates never share a row with foreign-key locks."""

    product = models.OneToOneField(Product, models.PROTECT, primary_key=True)
    on_hand = models.BigIntegerField()
    reserved = models.BigIntegerField(default=0)

    class Meta:
        db_table = "stock"
        verbose_name_plural = "stock"
        constraints = [
            models.CheckConstraint(
                name="stock_not_oversold", condition=Q(reserved__gte=0, on_hand__gte=F("reserved"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.on_hand - self.reserved} of {self.on_hand} available"


class CreditAccount(Aggregate):
    """What a customer may owe, and what their orders hold of it."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.PROTECT, primary_key=True)
    limit = MoneyField()
    used = MoneyField(default=Decimal(0))

    class Meta:
        db_table = "credit_accounts"
        constraints = [
            models.CheckConstraint(
                name="credit_within_limit", condition=Q(used__gte=0, used__lte=F("limit"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.used} of {self.limit}"


class Order(Aggregate):
    """`paid` and `returned` are sums over payments and credit-note lines, kept here so that checks can guard them."""

    order_id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True)
    source = models.CharField(max_length=64)
    reference = models.CharField(max_length=64, null=True)
    status = models.CharField(max_length=16, choices=[(status.value, status.value) for status in Status])
    total = MoneyField()
    paid = MoneyField(default=Decimal(0))
    returned = MoneyField(default=Decimal(0))
    currency = models.CharField(max_length=3)
    on_credit = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    ship_name = models.CharField(max_length=200)
    ship_street = models.CharField(max_length=200)
    ship_postcode = models.CharField(max_length=32)
    ship_city = models.CharField(max_length=100)
    ship_country = models.CharField(max_length=64)
    ship_email = models.CharField(max_length=254)

    class Meta:
        db_table = "orders"
        permissions = [("trusted_source", "Can give agreed prices, times and references")]
        constraints = [
            models.UniqueConstraint(name="orders_reference_once", fields=["source", "reference"]),
            models.CheckConstraint(
                name="orders_status_known", condition=Q(status__in=[s.value for s in Status])
            ),
            models.CheckConstraint(name="orders_total_positive", condition=Q(total__gt=0)),
            models.CheckConstraint(
                name="orders_paid_within_total",
                condition=Q(paid__gte=0, paid__lte=F("total"), returned__gte=0),
            ),
            models.CheckConstraint(
                name="orders_cancelled_unpaid", condition=~Q(status="cancelled") | Q(paid=0)
            ),
        ]

    def __str__(self) -> str:
        return f"order {self.order_id}"


class OrderItem(models.Model):
    """A line of an order; a product may stand on several."""

    pk = models.CompositePrimaryKey("order_id", "line_no")
    order = models.ForeignKey(Order, models.PROTECT, db_index=False, related_name="items")
    line_no = models.IntegerField()
    product = models.ForeignKey(Product, models.PROTECT, db_index=False)
    qty = models.IntegerField()
    price = MoneyField()
    returned_qty = models.IntegerField(default=0)

    class Meta:
        db_table = "order_items"
        constraints = [
            models.CheckConstraint(name="order_items_qty_positive", condition=Q(qty__gte=1)),
            models.CheckConstraint(name="order_items_price_positive", condition=Q(price__gt=0)),
            models.CheckConstraint(
                name="order_items_returned_within_sold",
                condition=Q(returned_qty__gte=0, returned_qty__lte=F("qty")),
            ),
        ]

    def __str__(self) -> str:
        return f"line {self.line_no} of order {self.order_id}"


class Payment(models.Model):
    """Money that came in (`charge`) or went back (`refund`)."""

    payment_id = models.BigAutoField(primary_key=True)
    order = models.ForeignKey(Order, models.PROTECT, related_name="payments")
    kind = models.CharField(max_length=8, choices=[("charge", "charge"), ("refund", "refund")])
    amount = MoneyField()
    reference = models.CharField(max_length=128, null=True, unique=True)
    method = models.CharField(max_length=32, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "payments"
        constraints = [
            models.CheckConstraint(name="payments_amount_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(name="payments_kind_known", condition=Q(kind__in=["charge", "refund"])),
            models.CheckConstraint(
                name="payments_charge_has_reference", condition=Q(kind="refund") | Q(reference__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.amount}"


class CreditNote(Aggregate):
    """Money given back."""

    credit_note_id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True)
    source = models.CharField(max_length=64)
    reference = models.CharField(max_length=64, null=True)
    country = models.CharField(max_length=64)
    currency = models.CharField(max_length=3)
    total = MoneyField()
    reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "credit_notes"
        constraints = [
            models.UniqueConstraint(name="credit_notes_reference_once", fields=["source", "reference"]),
            models.CheckConstraint(name="credit_notes_total_not_negative", condition=Q(total__gte=0)),
        ]

    def __str__(self) -> str:
        return f"credit note {self.credit_note_id}"


class CreditNoteLine(models.Model):
    """`order_id` and `order_line_no` name the order line whose goods came back (foreign key in 0002), or neither."""

    pk = models.CompositePrimaryKey("credit_note_id", "line_no")
    credit_note = models.ForeignKey(CreditNote, models.PROTECT, db_index=False, related_name="lines")
    line_no = models.IntegerField()
    order_id = models.BigIntegerField(null=True)
    order_line_no = models.IntegerField(null=True)
    product = models.ForeignKey(Product, models.PROTECT, null=True, db_index=False)
    sku = models.CharField("SKU", max_length=64)
    qty = models.IntegerField()
    price = MoneyField()

    class Meta:
        db_table = "credit_note_lines"
        constraints = [
            models.CheckConstraint(name="credit_note_lines_qty_positive", condition=Q(qty__gte=1)),
            models.CheckConstraint(name="credit_note_lines_price_not_negative", condition=Q(price__gte=0)),
            models.CheckConstraint(
                name="credit_note_lines_order_line_whole",
                condition=Q(order_id__isnull=True, order_line_no__isnull=True)
                | Q(order_id__isnull=False, order_line_no__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"line {self.line_no} of credit note {self.credit_note_id}"


class IdempotencyKey(models.Model):
    """A request that was answered: the same key gets the same answer, byte for byte."""

    pk = models.CompositePrimaryKey("scope", "key")
    scope = models.CharField(max_length=200)
    key = models.CharField(max_length=200)
    fingerprint = models.BinaryField()
    status = models.SmallIntegerField()
    headers = models.JSONField()
    body = models.TextField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "idempotency_keys"
        verbose_name = "idempotency key"
        indexes = [
            models.Index(
                name="idempotency_keys_created_at",
                fields=["created_at"],
                condition=~Q(scope__startswith="import:"),  # a file may come again after any time
            )
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.key}: {self.status}"
