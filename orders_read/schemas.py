"""What the queries answer, as the API's schema describes it; PostgreSQL builds it, a test compares the two."""

from typing import Any

from rest_framework import serializers

from orders_write.events import Status

STATUSES = [status.value for status in Status]


class Amount(serializers.DecimalField):
    """A sum as this API writes it: a string with four decimals."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_digits": 20, "decimal_places": 4} | options)


class OrderLine(serializers.Serializer[Any]):
    """A line of an order."""

    line_no = serializers.IntegerField()
    product_id = serializers.CharField()
    sku = serializers.CharField()
    name = serializers.CharField()
    category = serializers.CharField()
    qty = serializers.IntegerField()
    price = Amount()
    amount = Amount()
    returned = serializers.IntegerField()


class Recipient(serializers.Serializer[Any]):
    """Who gets an order; null where nothing was said."""

    name = serializers.CharField(allow_null=True)
    email = serializers.CharField(allow_null=True)
    street = serializers.CharField(allow_null=True)
    postcode = serializers.CharField(allow_null=True)
    city = serializers.CharField(allow_null=True)


class ReturnedLine(serializers.Serializer[Any]):
    """What came back of one line now (`qty`) and in all (`returned`)."""

    line_no = serializers.IntegerField()
    product_id = serializers.CharField()
    sku = serializers.CharField()
    qty = serializers.IntegerField()
    amount = Amount()
    returned = serializers.IntegerField()


class TimelineEntry(serializers.Serializer[Any]):
    """What happened to an order, when and by whom; the members from `amount` on are there when the event has them."""

    event = serializers.CharField()
    version = serializers.IntegerField()
    position = serializers.CharField()
    at = serializers.DateTimeField()
    recorded_at = serializers.DateTimeField()
    by = serializers.CharField()
    status = serializers.ChoiceField(STATUSES)
    amount = Amount(required=False)
    reference = serializers.CharField(required=False)
    method = serializers.CharField(required=False)
    carrier = serializers.CharField(required=False)
    tracking_number = serializers.CharField(required=False)
    reason = serializers.CharField(required=False)
    refund = Amount(required=False)
    credit_note_id = serializers.CharField(required=False)
    lines = ReturnedLine(many=True, required=False)


class Order(serializers.Serializer[Any]):
    """An order with its timeline."""

    order_id = serializers.CharField()
    reference = serializers.CharField(allow_null=True)
    source = serializers.CharField()  # type: ignore[assignment]
    user_id = serializers.CharField(allow_null=True)
    customer_number = serializers.CharField(allow_null=True)
    customer = Recipient(allow_null=True)
    country = serializers.CharField()
    currency = serializers.CharField()
    on_credit = serializers.BooleanField()
    placed_at = serializers.DateTimeField()
    status = serializers.ChoiceField(STATUSES)
    total = Amount()
    paid = Amount()
    returned = Amount()
    open_amount = Amount()
    units = serializers.IntegerField()
    lines = OrderLine(many=True)
    version = serializers.IntegerField()
    timeline = TimelineEntry(many=True)


class OrderSummary(serializers.Serializer[Any]):
    """An order in a list; `lines` is their number."""

    order_id = serializers.CharField()
    reference = serializers.CharField(allow_null=True)
    source = serializers.CharField()  # type: ignore[assignment]
    status = serializers.ChoiceField(STATUSES)
    user_id = serializers.CharField(allow_null=True)
    customer_number = serializers.CharField(allow_null=True)
    customer_name = serializers.CharField(allow_null=True)
    country = serializers.CharField()
    currency = serializers.CharField()
    placed_at = serializers.DateTimeField()
    total = Amount()
    paid = Amount()
    returned = Amount()
    open_amount = Amount()
    units = serializers.IntegerField()
    lines = serializers.IntegerField()
    first_item = serializers.CharField()
    version = serializers.IntegerField()


class OrderPage(serializers.Serializer[Any]):
    """A page of orders, newest first; `next` is `after` of the following one."""

    results = OrderSummary(many=True)
    next = serializers.CharField(allow_null=True)


class OrdersByStatus(serializers.Serializer[Any]):
    """How many orders stand where."""

    confirmed = serializers.IntegerField()
    paid = serializers.IntegerField()
    shipped = serializers.IntegerField()
    delivered = serializers.IntegerField()
    cancelled = serializers.IntegerField()


class Dashboard(serializers.Serializer[Any]):
    """How a customer stands with the shop."""

    user_id = serializers.CharField()
    customer_number = serializers.CharField(allow_null=True)
    orders = serializers.IntegerField()
    lines = serializers.IntegerField()
    units = serializers.IntegerField()
    spent = Amount()
    credit_notes = serializers.IntegerField()
    units_returned = serializers.IntegerField()
    returned = Amount()
    cancelled = Amount()
    net = Amount()
    paid = Amount()
    open_amount = Amount()
    orders_by_status = OrdersByStatus()
    credit_limit = Amount(allow_null=True)
    first_order_at = serializers.DateTimeField(allow_null=True)
    last_order_at = serializers.DateTimeField(allow_null=True)
    last_order_id = serializers.CharField(allow_null=True)
    last_order_reference = serializers.CharField(allow_null=True)


class RevenueFigures(serializers.Serializer[Any]):
    """What was sold, taken back and cancelled; the three counts are absent by category."""

    orders = serializers.IntegerField(required=False)
    credit_notes = serializers.IntegerField(required=False)
    cancellations = serializers.IntegerField(required=False)
    lines = serializers.IntegerField()
    units = serializers.IntegerField()
    gross = Amount()
    lines_returned = serializers.IntegerField()
    units_returned = serializers.IntegerField()
    returned = Amount()
    units_cancelled = serializers.IntegerField()
    cancelled = Amount()
    net = Amount()


class RevenueRow(RevenueFigures):
    """The figures of one key; the one asked for is there."""

    day = serializers.DateField(required=False)
    month = serializers.CharField(required=False)
    category = serializers.CharField(required=False)
    country = serializers.CharField(required=False)


class Revenue(serializers.Serializer[Any]):
    """Revenue of a range of days."""

    to = serializers.DateField()
    by = serializers.ChoiceField(["day", "month", "category", "country"])
    results = RevenueRow(many=True)
    total = RevenueFigures()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add `from`, which is no name in Python."""
        return {"from": serializers.DateField(), **super().get_fields()}


class Product(serializers.Serializer[Any]):
    """A product, and how many pieces are free."""

    sku = serializers.CharField()
    product_id = serializers.CharField()
    name = serializers.CharField()
    category = serializers.CharField()
    price = Amount()
    retired = serializers.BooleanField()
    available = serializers.IntegerField()
    version = serializers.IntegerField()


class ProductPage(serializers.Serializer[Any]):
    """A page of the catalogue, by SKU; `next` is `after` of the following one."""

    results = Product(many=True)
    next = serializers.CharField(allow_null=True)


class ProductSales(serializers.Serializer[Any]):
    """What one SKU sold, and what came back of it."""

    sku = serializers.CharField()
    name = serializers.CharField()
    category = serializers.CharField()
    orders = serializers.IntegerField()
    lines = serializers.IntegerField()
    units = serializers.IntegerField()
    gross = Amount()
    credit_notes = serializers.IntegerField()
    units_returned = serializers.IntegerField()
    returned = Amount()
    units_cancelled = serializers.IntegerField()
    cancelled = Amount()
    net = Amount()


class ProductSalesPage(serializers.Serializer[Any]):
    """A page of sales, the greatest first; `next` is `after` of the following one."""

    results = ProductSales(many=True)
    next = serializers.CharField(allow_null=True)


class Period(serializers.Serializer[Any]):
    """What was sold, taken back and cancelled from one day to another; `returns_rate` is a part of gross."""

    to = serializers.DateField(allow_null=True)
    orders = serializers.IntegerField()
    units = serializers.IntegerField()
    gross = Amount()
    returned = Amount()
    cancelled = Amount()
    net = Amount()
    returns_rate = Amount(allow_null=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add `from`, which is no name in Python."""
        return {"from": serializers.DateField(allow_null=True), **super().get_fields()}


class Periods(serializers.Serializer[Any]):
    """Today and the days up to today, by UTC; the last day on which anything was ordered; all days."""

    today = Period()
    last_7_days = Period()
    last_30_days = Period()
    last_day_with_orders = Period(required=False)
    always = Period()


class TopCustomer(serializers.Serializer[Any]):
    """One of those who bought most, returns and cancellations taken off."""

    user_id = serializers.CharField()
    customer_number = serializers.CharField(allow_null=True)
    orders = serializers.IntegerField()
    units = serializers.IntegerField()
    net = Amount()
    last_order_at = serializers.DateTimeField(allow_null=True)


class TopProduct(serializers.Serializer[Any]):
    """One of what was sold most, returns and cancellations taken off."""

    sku = serializers.CharField()
    name = serializers.CharField()
    orders = serializers.IntegerField()
    units = serializers.IntegerField()
    net = Amount()
    returns_rate = Amount(allow_null=True)


class ShopOverview(serializers.Serializer[Any]):
    """The shop at a glance, as of a moment: `age_seconds` ago, when the read models were at `position` of the log."""

    as_of = serializers.DateTimeField()
    age_seconds = serializers.FloatField()
    position = serializers.CharField()
    periods = Periods()
    orders_by_status = OrdersByStatus()
    top_customers = TopCustomer(many=True)
    top_products = TopProduct(many=True)
