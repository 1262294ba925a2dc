"""What can be asked of the write side: imperative, may be refused. Money is Decimal, never float."""

from dataclasses import dataclass
from decimal import Decimal

# The one currency of the shop: revenue and credit are sums, and sums of several currencies say nothing.
CURRENCY = "GBP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where an order goes. Staff and importers may leave out all but the country."""

    country: str
    name: str = ""
    street: str = ""
    postcode: str = ""
    city: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """A wish for `qty` pieces of a product; `price` is an agreed one (trusted sources), None means the catalogue's."""

    sku: str
    qty: int
    price: Decimal | None = None
    line_no: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    """Buy; `user_id` None is a guest. `reference` is the source's own name of the order, unique within `source`."""

    user_id: int | None
    lines: tuple[OrderLine, ...]
    address: Address
    currency: str = CURRENCY
    source: str = "shop"
    reference: str | None = None
    address_required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargePayment:
    """Book a payment; `reference` is the payment provider's, used once."""

    order_id: int
    amount: Decimal
    reference: str
    method: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipOrder:
    """Hand the goods to the carrier."""

    order_id: int
    carrier: str = ""
    tracking_number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverOrder:
    """Record that the goods arrived."""

    order_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """Undo an order that has not left: stock and credit are released, what was paid is refunded."""

    order_id: int
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseCustomer:
    """Forget who got an order and where; what was bought stays."""

    order_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNoteLine:
    """A credited quantity; it names an order line when the goods of that line came back.

    The order is named by `order_id`, or by `order_reference` within the credit note's source.
    """

    sku: str
    qty: int
    price: Decimal
    line_no: int | None = None
    order_id: int | None = None
    order_reference: str | None = None
    order_line_no: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCreditNote:
    """Give money back; an aggregate of its own, because in real trade some lines name no order."""

    user_id: int | None
    lines: tuple[CreditNoteLine, ...]
    country: str = ""
    currency: str = CURRENCY
    source: str = "shop"
    reference: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListProduct:
    """Put a product into the catalogue, with its opening stock."""

    sku: str
    name: str
    category: str
    price: Decimal
    on_hand: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RepriceProduct:
    """Change the catalogue's price; orders that stand keep theirs."""

    sku: str
    price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class RestockProduct:
    """Add `qty` pieces to the stock."""

    sku: str
    qty: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RetireProduct:
    """Stop selling a product."""

    sku: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCreditLimit:
    """Let a customer buy on credit up to `limit`; the first one opens the account."""

    user_id: int
    limit: Decimal


OrderCommand = ChargePayment | ShipOrder | DeliverOrder | CancelOrder | EraseCustomer
ProductCommand = ListProduct | RepriceProduct | RestockProduct | RetireProduct
Command = PlaceOrder | OrderCommand | RecordCreditNote | ProductCommand | SetCreditLimit
