from dataclasses import replace
from decimal import Decimal

import pytest

from orders_write.commands import CreditNoteLine, RecordCreditNote
from orders_write.domain.credit_note import record_credit_note, returned_by_order
from orders_write.domain.order import Order, evolve, return_items
from orders_write.events import CreditNoteRecorded, Status
from orders_write.exceptions import (
    DuplicateLineNumber,
    ForeignCurrency,
    NoLines,
    OrderOfAnotherCustomer,
    PriceNegative,
    QuantityBelowOne,
    Refusal,
    ReturnExceedsSold,
    UnknownOrderLine,
)

from .shop import CATALOGUE, order_in

MUG_BACK = CreditNoteLine(sku="mug", qty=1, price=Decimal("2.5"), order_id=100, order_line_no=1)
DISCOUNT = CreditNoteLine(sku="D", qty=1, price=Decimal("27.5"))


def record(*lines: CreditNoteLine, order: Order | None = None, user_id: int | None = 7) -> CreditNoteRecorded:
    order = order or order_in(Status.DELIVERED)
    command = RecordCreditNote(user_id=user_id, lines=lines, country="France")
    return record_credit_note(
        command, 900, "C7", CATALOGUE, {line: order for line in lines if line.order_id == 100}
    )


def test_a_line_may_name_an_order_line_or_none() -> None:
    event = record(MUG_BACK, DISCOUNT)

    assert (event.total, event.units) == (Decimal("30.0"), 2)
    assert [(line.sku, line.category, line.order_id, line.order_line_no) for line in event.lines] == [
        ("mug", "kitchen", 100, 1),
        ("D", "unlisted", None, None),
    ]


def test_what_came_back_is_told_to_each_order_once() -> None:
    assert returned_by_order(record(MUG_BACK, replace(MUG_BACK, price=Decimal(1)), DISCOUNT)) == {
        100: {1: (2, Decimal("3.5"))}
    }


def test_a_return_changes_the_line_and_what_the_order_owes() -> None:
    order = order_in(Status.CONFIRMED)

    after = evolve(order, return_items(order, 900, {1: (2, Decimal(4))}))

    assert [line.returned for line in after.lines] == [2, 0]
    assert (after.returned, after.open_amount) == (Decimal(4), order.total - 4)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (replace(MUG_BACK, qty=0), QuantityBelowOne),
        (replace(MUG_BACK, price=Decimal("-0.01")), PriceNegative),
        (replace(MUG_BACK, qty=3), ReturnExceedsSold),
        (replace(MUG_BACK, order_line_no=9), UnknownOrderLine),
        (replace(MUG_BACK, sku="lamp"), UnknownOrderLine),
        (replace(MUG_BACK, order_id=101), UnknownOrderLine),
    ],
)
def test_a_line_against_a_rule_is_refused(line: CreditNoteLine, rule: type[Refusal]) -> None:
    with pytest.raises(rule):
        record(line)


def test_two_lines_may_not_return_more_than_one_line_sold() -> None:
    with pytest.raises(ReturnExceedsSold):
        record(replace(MUG_BACK, qty=2), replace(MUG_BACK, price=Decimal(1)))


def test_what_was_returned_before_counts() -> None:
    order = order_in(Status.DELIVERED)
    order = evolve(order, return_items(order, 900, {1: (2, Decimal(5))}))

    with pytest.raises(ReturnExceedsSold) as refusal:
        record(MUG_BACK, order=order)

    assert refusal.value.details["left"] == 0


def test_nothing_comes_back_from_a_cancelled_order() -> None:
    with pytest.raises(ReturnExceedsSold):
        record(MUG_BACK, order=order_in(Status.CANCELLED))


def test_the_order_must_be_the_customers_own() -> None:
    with pytest.raises(OrderOfAnotherCustomer):
        record(MUG_BACK, user_id=8)


def test_a_credit_note_needs_a_line() -> None:
    with pytest.raises(NoLines):
        record()


def test_a_credit_note_in_another_currency_is_refused() -> None:
    with pytest.raises(ForeignCurrency):
        record_credit_note(
            RecordCreditNote(user_id=7, lines=(DISCOUNT,), currency="EUR"), 900, "C7", CATALOGUE, {}
        )


def test_line_numbers_differ() -> None:
    with pytest.raises(DuplicateLineNumber):
        record(replace(DISCOUNT, line_no=1), replace(DISCOUNT, line_no=1))


def test_a_free_credit_is_a_credit_of_nothing() -> None:
    assert record(replace(DISCOUNT, price=Decimal(0))).total == 0
