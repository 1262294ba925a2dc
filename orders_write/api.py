"""The commands over HTTP: each view reads a body, names a command and says what its answer shows."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request as HttpRequest

from . import examples
from .command_view import CommandView
from .exceptions import NotFound
from .fields import LARGEST_ID
from .permissions import (
    MayChangeCreditLimits,
    MayChangeOrders,
    MayChangeProducts,
    MayRecordCreditNotes,
    may_change_orders,
)
from .returns import credit_note_for
from .schemas import CreditAccountAnswer, CreditNoteAnswer, OrderAnswer, PlacedOrderAnswer, ProductAnswer
from .serializers import (
    CancelOrderBody,
    ChargePaymentBody,
    CreditNoteBody,
    DeliverOrderBody,
    ListProductBody,
    OrderCommandBody,
    OrderCreditNoteBody,
    PlaceOrderBody,
    ProductCommandBody,
    RepriceProductBody,
    RestockProductBody,
    RetireProductBody,
    SetCreditLimitBody,
    ShipOrderBody,
)


class PlaceOrder(CommandView):
    """Place an order."""

    @extend_schema(
        operation_id="place_order",
        tags=["orders"],
        request=PlaceOrderBody,
        responses={201: PlacedOrderAnswer},
        examples=[examples.PLACE_ORDER],
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        """Place an order: your own, or as staff anybody's. Prices are the catalogue's."""
        body = self.read(PlaceOrderBody)
        own, for_others = request.user.pk, may_change_orders(request.user)
        command = body.command(own, address_required=not for_others)
        if command.user_id != own and not for_others:
            raise PermissionDenied("Only staff who may change orders place one for somebody else.")
        return self.run(body, command, created="order_id")


class OrderCommandView(CommandView):
    """A command upon one order; anybody else's does not exist for a customer."""

    depends_on_version = True

    def change(self, kind: type[OrderCommandBody], order_id: int) -> HttpResponse:
        """Read the body and carry out its command."""
        body = self.read(kind)
        return self.run(body, body.command(_existing(order_id=order_id)))


class ChargePayment(OrderCommandView):
    """Pay an order."""

    @extend_schema(
        operation_id="charge_payment",
        tags=["orders"],
        request=ChargePaymentBody,
        responses=OrderAnswer,
        examples=[examples.CHARGE_PAYMENT],
    )
    def post(self, request: HttpRequest, order_id: int) -> HttpResponse:
        """Book a payment of the whole open amount."""
        return self.change(ChargePaymentBody, order_id)


class CancelOrder(OrderCommandView):
    """Cancel an order."""

    @extend_schema(
        operation_id="cancel_order",
        tags=["orders"],
        request=CancelOrderBody,
        responses=OrderAnswer,
        examples=[examples.CANCEL_ORDER],
    )
    def post(self, request: HttpRequest, order_id: int) -> HttpResponse:
        """Undo an order that has not left; what was paid is refunded."""
        return self.change(CancelOrderBody, order_id)


class ShipOrder(OrderCommandView):
    """Ship an order."""

    permission_classes = [MayChangeOrders]

    @extend_schema(
        operation_id="ship_order",
        tags=["orders"],
        request=ShipOrderBody,
        responses=OrderAnswer,
        examples=[examples.SHIP_ORDER],
    )
    def post(self, request: HttpRequest, order_id: int) -> HttpResponse:
        """Hand the goods to the carrier. Staff only."""
        return self.change(ShipOrderBody, order_id)


class DeliverOrder(OrderCommandView):
    """Deliver an order."""

    permission_classes = [MayChangeOrders]

    @extend_schema(
        operation_id="deliver_order", tags=["orders"], request=DeliverOrderBody, responses=OrderAnswer
    )
    def post(self, request: HttpRequest, order_id: int) -> HttpResponse:
        """Record that the goods arrived. Staff only."""
        return self.change(DeliverOrderBody, order_id)


class CreditOrder(CommandView):
    """Take goods of an order back."""

    summed_up = "lines"
    permission_classes = [MayRecordCreditNotes]

    @extend_schema(
        operation_id="credit_order",
        tags=["credit notes"],
        request=OrderCreditNoteBody,
        responses={201: CreditNoteAnswer},
        examples=[examples.CREDIT_ORDER],
    )
    def post(self, request: HttpRequest, order_id: int) -> HttpResponse:
        """Record a credit note for goods of one order that came back. Staff only."""
        body = self.read(OrderCreditNoteBody)
        given = body.validated_data
        command = credit_note_for(
            _existing(order_id=order_id), given["lines"], given.get("reason", ""), given.get("reference")
        )
        return self.run(body, command, created="")


class RecordCreditNote(CommandView):
    """Give money back."""

    summed_up = "lines"
    permission_classes = [MayRecordCreditNotes]

    @extend_schema(
        operation_id="record_credit_note",
        tags=["credit notes"],
        request=CreditNoteBody,
        responses={201: CreditNoteAnswer},
        examples=[examples.RECORD_CREDIT_NOTE],
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        """Record a credit note; its lines may name an order's lines or none. Staff only."""
        body = self.read(CreditNoteBody)
        return self.run(body, body.command(), created="")


class ListProduct(CommandView):
    """Sell a new product."""

    permission_classes = [MayChangeProducts]

    @extend_schema(
        operation_id="list_product",
        tags=["products"],
        request=ListProductBody,
        responses={201: ProductAnswer},
        examples=[examples.LIST_PRODUCT],
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        """Put a product into the catalogue, with its opening stock. Staff only."""
        body = self.read(ListProductBody)
        return self.run(body, body.command(), created="sku")


class ProductCommandView(CommandView):
    """A command upon one product."""

    permission_classes = [MayChangeProducts]

    def change(self, kind: type[ProductCommandBody], sku: str) -> HttpResponse:
        """Read the body and carry out its command."""
        body = self.read(kind)
        return self.run(body, body.command(_existing(sku=sku)))


class RepriceProduct(ProductCommandView):
    """Change a price."""

    @extend_schema(
        operation_id="reprice_product",
        tags=["products"],
        request=RepriceProductBody,
        responses=ProductAnswer,
        examples=[examples.REPRICE_PRODUCT],
    )
    def put(self, request: HttpRequest, sku: str) -> HttpResponse:
        """Set the catalogue's price; orders that stand keep theirs. Staff only."""
        return self.change(RepriceProductBody, sku)


class RestockProduct(ProductCommandView):
    """Add to the stock."""

    @extend_schema(
        operation_id="restock_product",
        tags=["products"],
        request=RestockProductBody,
        responses=ProductAnswer,
        examples=[examples.RESTOCK_PRODUCT],
    )
    def post(self, request: HttpRequest, sku: str) -> HttpResponse:
        """Add pieces to the stock. Staff only."""
        return self.change(RestockProductBody, sku)


class RetireProduct(ProductCommandView):
    """Stop selling a product."""

    @extend_schema(
        operation_id="retire_product", tags=["products"], request=RetireProductBody, responses=ProductAnswer
    )
    def post(self, request: HttpRequest, sku: str) -> HttpResponse:
        """Take a product out of the catalogue. Staff only."""
        return self.change(RetireProductBody, sku)


class SetCreditLimit(CommandView):
    """Let a customer buy on credit."""

    permission_classes = [MayChangeCreditLimits]

    @extend_schema(
        operation_id="set_credit_limit",
        tags=["customers"],
        request=SetCreditLimitBody,
        responses=CreditAccountAnswer,
        examples=[examples.SET_CREDIT_LIMIT],
    )
    def put(self, request: HttpRequest, user_id: int) -> HttpResponse:
        """Set what a customer may owe; the first limit opens the account. Staff only."""
        body = self.read(SetCreditLimitBody)
        return self.run(body, body.command(_existing(user_id=user_id)))


def _existing(**key: Any) -> Any:
    """Return the key of a path; raises NotFound for one that the database could not even hold."""
    (value,) = key.values()
    if (value > LARGEST_ID) if isinstance(value, int) else ("\0" in value):
        raise NotFound(**key)
    return value
