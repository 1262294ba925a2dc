"""What a batch of commands must have in its hands before it can be decided: the keys to load and lock."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import assert_never

from .commands import (
    CancelOrder,
    ChargePayment,
    Command,
    DeliverOrder,
    EraseCustomer,
    ListProduct,
    PlaceOrder,
    RecordCreditNote,
    RepriceProduct,
    RestockProduct,
    RetireProduct,
    SetCreditLimit,
    ShipOrder,
)

Reference = tuple[str, str]


@dataclass(slots=True)
class Needs:
    """Keys by kind; a reference is (source, reference); the `new_` counts are identities to draw."""

    order_ids: set[int] = field(default_factory=set)
    order_references: set[Reference] = field(default_factory=set)
    user_ids: set[int] = field(default_factory=set)
    skus: set[str] = field(default_factory=set)
    payment_references: set[str] = field(default_factory=set)
    new_order_references: set[Reference] = field(default_factory=set)
    new_credit_note_references: set[Reference] = field(default_factory=set)
    new_orders: int = 0
    new_credit_notes: int = 0
    new_products: int = 0


def needs_of(commands: Iterable[Command]) -> Needs:
    """Return what all the commands need together."""
    needs = Needs()
    for command in commands:
        _add(needs, command)
    return needs


def _add(needs: Needs, command: Command) -> None:
    match command:
        case PlaceOrder():
            needs.new_orders += 1
            needs.skus.update(line.sku for line in command.lines)
            _add_party(needs, command.user_id, command.source, command.reference, needs.new_order_references)
        case RecordCreditNote():
            needs.new_credit_notes += 1
            _add_party(
                needs, command.user_id, command.source, command.reference, needs.new_credit_note_references
            )
            _add_credited(needs, command)
        case ChargePayment():
            needs.order_ids.add(command.order_id)
            needs.payment_references.add(command.reference)
        case ShipOrder() | DeliverOrder() | CancelOrder() | EraseCustomer():
            needs.order_ids.add(command.order_id)
        case ListProduct():
            needs.new_products += 1
            needs.skus.add(command.sku)
        case RepriceProduct() | RestockProduct() | RetireProduct():
            needs.skus.add(command.sku)
        case SetCreditLimit():
            needs.user_ids.add(command.user_id)
        case _:
            assert_never(command)


def _add_party(
    needs: Needs, user_id: int | None, source: str, reference: str | None, references: set[Reference]
) -> None:
    if user_id is not None:
        needs.user_ids.add(user_id)
    if reference is not None:
        references.add((source, reference))


def _add_credited(needs: Needs, command: RecordCreditNote) -> None:
    for line in command.lines:
        needs.skus.add(line.sku)
        if line.order_id is not None:
            needs.order_ids.add(line.order_id)
        elif line.order_reference is not None:
            needs.order_references.add((command.source, line.order_reference))
