"""What commands look like on the way in. Shapes only: whether a quantity makes sense is for the domain to say."""

from collections.abc import Iterator
from typing import Any

from rest_framework import serializers

from .commands import (
    Address,
    CancelOrder,
    ChargePayment,
    CreditNoteLine,
    DeliverOrder,
    ListProduct,
    OrderLine,
    PlaceOrder,
    RecordCreditNote,
    RepriceProduct,
    RestockProduct,
    RetireProduct,
    SetCreditLimit,
    ShipOrder,
)
from .fields import Body, FilledText, Id, Money, NewSku, PastMoment, Text, WholeNumber

MOST_LINES = 2_000
SKU = {"max_length": 64}
COUNTRY = {"max_length": 64}
CURRENCY = {"min_length": 3, "max_length": 3, "required": False, "help_text": "For trusted sources only."}
OPTIONAL = {"required": False, "allow_blank": True}


class TrustedBody(Body):
    """A command that a trusted source may date."""

    occurred_at = PastMoment(required=False, help_text="When it happened. For trusted sources only.")

    trusted: tuple[str, ...] = ("occurred_at",)
    trusted_in_lines: tuple[str, ...] = ()

    def trusted_fields(self) -> Iterator[str]:
        """Yield the path of every given field that only a trusted source may give."""
        given = self.validated_data
        yield from (name for name in self.trusted if name in given)
        for name in self.trusted_in_lines:
            yield from (f"lines.{index}.{name}" for index, line in enumerate(given["lines"]) if name in line)


class AddressBody(Body):
    """Where an order goes."""

    name = Text(max_length=200, **OPTIONAL)
    street = Text(max_length=200, **OPTIONAL)
    postcode = Text(max_length=32, **OPTIONAL)
    city = Text(max_length=100, **OPTIONAL)
    country = Text(**COUNTRY, **OPTIONAL)
    email = Text(max_length=254, **OPTIONAL)


class OrderLineBody(Body):
    """A wish for some pieces of a product."""

    sku = Text(**SKU)
    qty = WholeNumber()
    price = Money(
        required=False, help_text="The agreed price; the catalogue's if left out. For trusted sources only."
    )
    line_no = WholeNumber(required=False, min_value=1)


class PlaceOrderBody(TrustedBody):
    """An order to place."""

    lines = OrderLineBody(many=True, max_length=MOST_LINES)  # type: ignore[call-arg]
    address = AddressBody()
    user_id = Id(
        required=False, allow_null=True, help_text="Whose order it is; null is a guest. For staff only."
    )
    currency = Text(**CURRENCY)
    source = Text(required=False, max_length=64, help_text="For trusted sources only.")  # type: ignore[assignment]
    reference = Text(
        required=False, max_length=64, help_text="The source's name of it. For trusted sources only."
    )

    trusted = ("occurred_at", "currency", "source", "reference")
    trusted_in_lines = ("price",)

    def command(self, user_id: int | None, *, address_required: bool) -> PlaceOrder:
        """Build the command; `user_id` is whose order it is when the body does not say."""
        given = {**self.validated_data}
        given.pop("occurred_at", None)
        address = Address(**{"country": ""} | given.pop("address"))
        lines = tuple(OrderLine(**line) for line in given.pop("lines"))
        return PlaceOrder(
            **{"user_id": user_id} | given, lines=lines, address=address, address_required=address_required
        )


class OrderCommandBody(TrustedBody):
    """A command upon one order."""

    kind: type[Any]

    def command(self, order_id: int) -> Any:
        """Build the command."""
        given = {name: value for name, value in self.validated_data.items() if name != "occurred_at"}
        return self.kind(order_id=order_id, **given)


class ChargePaymentBody(OrderCommandBody):
    """A payment that came in."""

    amount = Money(help_text="The open amount of the order.")
    reference = Text(max_length=128, help_text="The payment provider's, used once.")
    method = Text(max_length=32, **OPTIONAL)

    kind = ChargePayment


class ShipOrderBody(OrderCommandBody):
    """Goods that left."""

    carrier = Text(max_length=64, **OPTIONAL)
    tracking_number = Text(max_length=64, **OPTIONAL)

    kind = ShipOrder


class DeliverOrderBody(OrderCommandBody):
    """Goods that arrived."""

    kind = DeliverOrder


class CancelOrderBody(OrderCommandBody):
    """Why the order is undone."""

    reason = Text(max_length=200, **OPTIONAL)

    kind = CancelOrder


class CreditNoteLineBody(Body):
    """A credited quantity; with `order_id` and `order_line_no`, of goods that came back."""

    sku = Text(**SKU)
    qty = WholeNumber()
    price = Money()
    line_no = WholeNumber(required=False, min_value=1)
    order_id = Id(required=False)
    order_line_no = WholeNumber(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse half of an order line."""
        if ("order_id" in attrs) != ("order_line_no" in attrs):
            raise serializers.ValidationError("order_id and order_line_no go together.")
        return attrs


class CreditNoteBody(TrustedBody):
    """Money to give back."""

    lines = CreditNoteLineBody(many=True, max_length=MOST_LINES)  # type: ignore[call-arg]
    user_id = Id(required=False, allow_null=True, help_text="Who gets it; null or nothing is a guest.")
    country = Text(**COUNTRY, **OPTIONAL)
    currency = Text(**CURRENCY)
    source = Text(required=False, max_length=64, help_text="For trusted sources only.")  # type: ignore[assignment]
    reference = Text(
        required=False, max_length=64, help_text="The source's name of it. For trusted sources only."
    )
    reason = Text(max_length=200, **OPTIONAL)

    trusted = ("occurred_at", "currency", "source", "reference")

    def command(self) -> RecordCreditNote:
        """Build the command."""
        given = {**self.validated_data}
        given.pop("occurred_at", None)
        lines = tuple(CreditNoteLine(**line) for line in given.pop("lines"))
        return RecordCreditNote(**{"user_id": None} | given, lines=lines)


class ReturnedLineBody(Body):
    """How many pieces of an order line came back."""

    line_no = WholeNumber(help_text="The order's line.")
    qty = WholeNumber()
    price = Money(required=False, help_text="What is given back for a piece; the price paid if left out.")


class OrderCreditNoteBody(TrustedBody):
    """Goods of one order that came back."""

    lines = ReturnedLineBody(many=True, max_length=MOST_LINES)  # type: ignore[call-arg]
    reason = Text(max_length=200, **OPTIONAL)
    reference = Text(required=False, max_length=64, help_text="For trusted sources only.")

    trusted = ("occurred_at", "reference")


class ListProductBody(TrustedBody):
    """A product to sell."""

    sku = NewSku(**SKU)
    name = FilledText(max_length=200)
    category = FilledText(max_length=64)
    price = Money()
    on_hand = WholeNumber(required=False)

    def command(self) -> ListProduct:
        """Build the command."""
        return ListProduct(
            **{name: value for name, value in self.validated_data.items() if name != "occurred_at"}
        )


class ProductCommandBody(TrustedBody):
    """A command upon one product."""

    kind: type[Any]

    def command(self, sku: str) -> Any:
        """Build the command."""
        given = {name: value for name, value in self.validated_data.items() if name != "occurred_at"}
        return self.kind(sku=sku, **given)


class RepriceProductBody(ProductCommandBody):
    """A new price."""

    price = Money()

    kind = RepriceProduct


class RestockProductBody(ProductCommandBody):
    """Pieces that came into the warehouse."""

    qty = WholeNumber()

    kind = RestockProduct


class RetireProductBody(ProductCommandBody):
    """Nothing but the wish."""

    kind = RetireProduct


class SetCreditLimitBody(TrustedBody):
    """What a customer may owe."""

    limit = Money()

    def command(self, user_id: int) -> SetCreditLimit:
        """Build the command."""
        return SetCreditLimit(user_id=user_id, limit=self.validated_data["limit"])
