"""The forms of the shop: shapes only, and the commands they mean. Whether a command may be is for the domain to say.

Whatever was typed passes through `typed` first, so that a form, a draft and a command hold only what a text column and
a session can hold.
"""

import re
from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.http import QueryDict

from .commands import Address, CancelOrder, ChargePayment, DeliverOrder, OrderCommand, OrderLine, ShipOrder

MOST_LINES = 400  # two fields each, of the thousand that Django takes
LARGEST_QTY = 1_000_000_000
LONGEST_REFERENCE = 128
QUANTITY = re.compile(r"[0-9]{1,9}")

# The most that is kept of a text; always one character more than can be right, so that what was cut is still wrong.
LONGEST_SKU, LONGEST_QTY, LONGEST_AMOUNT = 65, 10, 32

Line = dict[str, str]


class AddressForm(forms.Form):
    """Where an order goes; which of the fields must be filled is a rule of the domain."""

    name = forms.CharField(max_length=200, required=False)
    street = forms.CharField(max_length=200, required=False)
    postcode = forms.CharField(max_length=32, required=False)
    city = forms.CharField(max_length=100, required=False)
    country = forms.CharField(max_length=64, required=False)
    email = forms.EmailField(max_length=254, required=False)

    def address(self) -> Address:
        """Return the address as the command has it."""
        return Address(**{name: self.cleaned_data[name] for name in AddressForm.base_fields})


class StaffAddressForm(AddressForm):
    """What staff fill in for somebody else: also who buys, where no number means a guest."""

    customer_number = forms.CharField(max_length=32, required=False)
    buyer_id: int | None = None

    def clean_customer_number(self) -> str:
        """Find the customer."""
        number: str = self.cleaned_data["customer_number"]
        if number:
            self.buyer_id = (
                get_user_model().objects.filter(customer_number=number).values_list("pk", flat=True).first()
            )
            if self.buyer_id is None:
                raise forms.ValidationError("There is no customer with this number.")
        return number


class OrderCommandForm(forms.Form):
    """A form on an order's page; its fields are the command's."""

    kind: type[Any]

    def command(self, order_id: int, key: str) -> OrderCommand:
        """Return the command; `key` stands for a reference where the form needs one and got none."""
        command: OrderCommand = self.kind(order_id=order_id, **self.cleaned_data)
        return command


class PayForm(OrderCommandForm):
    """A payment that came in."""

    kind = ChargePayment
    amount = forms.DecimalField(max_digits=14, decimal_places=4)
    method = forms.CharField(max_length=32, required=False)
    reference = forms.CharField(max_length=LONGEST_REFERENCE, required=False)

    def command(self, order_id: int, key: str) -> OrderCommand:
        """Return the payment, under the form's own key when the payer named no reference."""
        given = self.cleaned_data
        return ChargePayment(
            order_id=order_id, **given | {"reference": given["reference"] or key[:LONGEST_REFERENCE]}
        )


class ShipForm(OrderCommandForm):
    """Goods that left."""

    kind = ShipOrder
    carrier = forms.CharField(max_length=64, required=False)
    tracking_number = forms.CharField(max_length=64, required=False)


class DeliverForm(OrderCommandForm):
    """Goods that arrived."""

    kind = DeliverOrder


class CancelForm(OrderCommandForm):
    """Why an order is undone."""

    kind = CancelOrder
    reason = forms.CharField(max_length=200, required=False)


def typed(text: str, longest: int) -> str:
    """Return what was typed, without NULs, lone surrogates and outer spaces, and at most so long."""
    return text.replace("\0", "").encode(errors="ignore").decode().strip()[:longest]


def typed_values(form: type[forms.Form], sent: QueryDict) -> dict[str, str]:
    """Return what was typed into a form's fields."""
    return {
        name: typed(sent.get(name, ""), (getattr(field, "max_length", None) or LONGEST_AMOUNT) + 1)
        for name, field in form.base_fields.items()
    }


def lines_of(sent: QueryDict) -> list[Line]:
    """Return the lines as they were typed."""
    return typed_lines(zip(sent.getlist("sku"), sent.getlist("qty"), strict=False))


def typed_lines(rows: Iterable[tuple[str, str]]) -> list[Line]:
    """Return lines of these SKUs and quantities."""
    return [{"sku": typed(sku, LONGEST_SKU), "qty": typed(qty, LONGEST_QTY)} for sku, qty in rows]


def with_line(lines: list[Line], sku: str, qty: str) -> list[Line]:
    """Add a product: more of a line that is there already, or a line of its own."""
    for line in lines:
        if line["sku"] == sku and is_quantity(line["qty"]) and is_quantity(qty):
            line["qty"] = str(int(line["qty"]) + int(qty))
            return lines
    return [*lines, {"sku": sku, "qty": qty}]


def order_lines(lines: list[Line]) -> tuple[OrderLine, ...]:
    """Return the lines as the command has them; marks each whose quantity is no number, and then returns none."""
    for line in lines:
        if not is_quantity(line["qty"]):
            line["error"] = "The quantity must be a whole number of at most nine digits."
    if any("error" in line for line in lines):
        return ()
    return tuple(OrderLine(sku=line["sku"], qty=int(line["qty"])) for line in lines)


def is_quantity(text: str) -> bool:
    """Say whether a text is a number of pieces; `int` would also take other scripts' digits, and any length."""
    return QUANTITY.fullmatch(text) is not None
