"""Why a command is refused or cannot run.

    WriteError
    ├── Refusal                      a rule of the domain said no; stored and replayed under the idempotency key
    │   ├── NoLines, TotalTooLarge, QuantityBelowOne, PriceNotPositive, PriceNegative, DuplicateLineNumber
    │   ├── UnknownProduct, RetiredProduct, NotEnoughStock, AddressInvalid, ForeignCurrency
    │   ├── CreditExceeded, CreditLimitBelowUse, CreditLimitNegative
    │   ├── AmountNotOpenAmount, AlreadyPaid, ReferenceUsed
    │   ├── OrderCancelled, NotPaid, AlreadyShipped, NothingToShip, NotShipped, AlreadyDelivered
    │   ├── UnknownOrderLine, ReturnExceedsSold, OrderOfAnotherCustomer
    │   └── ProductExists, AlreadyRetired, OpeningStockNegative
    ├── NotFound                     the command names an aggregate that does not exist
    ├── VersionConflict              the aggregate is no longer at the version that the caller saw
    └── idempotency: StillRunning, KeyReused

The class name is the stable code, the docstring the default message, keyword details are machine-readable.
"""

from typing import Any

KINDS = {"order_id": "order", "sku": "product", "user_id": "customer"}


class WriteError(Exception):
    """The command could not be carried out."""

    def __init__(self, **details: Any) -> None:
        self.details = details
        super().__init__(self.message)

    @property
    def code(self) -> str:
        """The stable name of the error, for programs."""
        return type(self).__name__

    @property
    def message(self) -> str:
        """One sentence for people."""
        return (type(self).__doc__ or "").strip()


class Refusal(WriteError):
    """A rule of the shop refused the command."""


class NoLines(Refusal):
    """An order or credit note needs at least one line."""


class TotalTooLarge(Refusal):
    """The total is larger than any account can hold."""


class QuantityBelowOne(Refusal):
    """A quantity must be at least one."""


class PriceNotPositive(Refusal):
    """A price must be above zero."""


class PriceNegative(Refusal):
    """A price must not be negative."""


class DuplicateLineNumber(Refusal):
    """A line number occurs twice."""


class UnknownProduct(Refusal):
    """The catalogue has no such product."""


class RetiredProduct(Refusal):
    """The product is no longer sold."""


class NotEnoughStock(Refusal):
    """There is not enough stock."""


class AddressInvalid(Refusal):
    """The shipping address is incomplete."""


class ForeignCurrency(Refusal):
    """The shop trades in one currency, and this is another."""


class CreditExceeded(Refusal):
    """The order would exceed the customer's credit limit."""


class CreditLimitBelowUse(Refusal):
    """The credit limit is below what is already used."""


class CreditLimitNegative(Refusal):
    """A credit limit must not be negative."""


class AmountNotOpenAmount(Refusal):
    """The amount is not the open amount of the order."""


class AlreadyPaid(Refusal):
    """The order has no open amount."""


class ReferenceUsed(Refusal):
    """The reference was used before."""


class OrderCancelled(Refusal):
    """The order is cancelled."""


class NotPaid(Refusal):
    """The order must be paid before it is shipped."""


class AlreadyShipped(Refusal):
    """The order is already shipped."""


class NothingToShip(Refusal):
    """Every line of the order was returned."""


class NotShipped(Refusal):
    """The order is not shipped."""


class AlreadyDelivered(Refusal):
    """The order is already delivered."""


class UnknownOrderLine(Refusal):
    """The credit note names an order line that does not exist."""


class ReturnExceedsSold(Refusal):
    """More would be returned than was sold and not yet returned."""


class OrderOfAnotherCustomer(Refusal):
    """The credit note names an order of another customer."""


class ProductExists(Refusal):
    """A product with this SKU is already listed."""


class AlreadyRetired(Refusal):
    """The product is already retired."""


class OpeningStockNegative(Refusal):
    """The opening stock must not be negative."""


class NotFound(WriteError):
    """There is nothing under this key."""

    @property
    def message(self) -> str:
        """Say what there is not, by the key that was looked for."""
        kind = next((KINDS[name] for name in self.details if name in KINDS), None)
        return f"There is no such {kind}." if kind else super().message


class VersionConflict(WriteError):
    """Someone changed it meanwhile; read it again."""


class StillRunning(WriteError):
    """A request with this idempotency key is still running."""


class KeyReused(WriteError):
    """This idempotency key was used for another request."""
