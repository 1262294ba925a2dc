"""What commands answer, as the API's schema describes it; `documents` makes it."""

from typing import Any

from rest_framework import serializers

from .events import Status


class Amount(serializers.DecimalField):
    """An amount as this API writes it: a string with four decimals."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_digits": 14, "decimal_places": 4} | options)


class SoldLineAnswer(serializers.Serializer[Any]):
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


class OrderAnswer(serializers.Serializer[Any]):
    """An order as it stands after a command."""

    order_id = serializers.CharField()
    reference = serializers.CharField(allow_null=True)
    source = serializers.CharField()  # type: ignore[assignment]
    user_id = serializers.CharField(allow_null=True)
    customer_number = serializers.CharField(allow_null=True)
    country = serializers.CharField()
    currency = serializers.CharField()
    on_credit = serializers.BooleanField()
    status = serializers.ChoiceField([status.value for status in Status])
    total = Amount()
    paid = Amount()
    returned = Amount()
    open_amount = Amount()
    units = serializers.IntegerField()
    lines = SoldLineAnswer(many=True)
    version = serializers.IntegerField()


class RecipientAnswer(serializers.Serializer[Any]):
    """Who gets an order; null where nothing was said."""

    name = serializers.CharField(allow_null=True)
    email = serializers.CharField(allow_null=True)
    street = serializers.CharField(allow_null=True)
    postcode = serializers.CharField(allow_null=True)
    city = serializers.CharField(allow_null=True)


class PlacedOrderAnswer(OrderAnswer):
    """A new order, as its read model will have it, less the timeline."""

    customer = RecipientAnswer(allow_null=True)
    placed_at = serializers.DateTimeField()


class CreditedLineAnswer(serializers.Serializer[Any]):
    """A line of a credit note."""

    line_no = serializers.IntegerField()
    product_id = serializers.CharField(allow_null=True)
    sku = serializers.CharField()
    name = serializers.CharField()
    category = serializers.CharField()
    qty = serializers.IntegerField()
    price = Amount()
    amount = Amount()
    order_id = serializers.CharField(allow_null=True)
    order_line_no = serializers.IntegerField(allow_null=True)


class CreditNoteAnswer(serializers.Serializer[Any]):
    """A credit note that was recorded."""

    credit_note_id = serializers.CharField()
    user_id = serializers.CharField(allow_null=True)
    customer_number = serializers.CharField(allow_null=True)
    country = serializers.CharField()
    currency = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    reference = serializers.CharField(allow_null=True)
    reason = serializers.CharField()
    total = Amount()
    units = serializers.IntegerField()
    lines = CreditedLineAnswer(many=True)


class ProductAnswer(serializers.Serializer[Any]):
    """A product as it stands after a command."""

    product_id = serializers.CharField()
    sku = serializers.CharField()
    name = serializers.CharField()
    category = serializers.CharField()
    price = Amount()
    retired = serializers.BooleanField()
    available = serializers.IntegerField()
    version = serializers.IntegerField()


class CreditAccountAnswer(serializers.Serializer[Any]):
    """A customer's credit account as it stands after a command."""

    user_id = serializers.CharField()
    limit = Amount()
    used = Amount()
    version = serializers.IntegerField()
