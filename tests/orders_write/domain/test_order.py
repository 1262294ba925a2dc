from dataclasses import replace
from decimal import Decimal

import pytest

from orders_write.commands import ChargePayment, OrderLine
from orders_write.domain.order import Order, decide, evolve, place_order, return_items, stock_moves
from orders_write.domain.product import StockMove, sum_moves
from orders_write.events import OrderCancelled, OrderDelivered, OrderShipped, PaymentCharged, Status
from orders_write.exceptions import (
    AddressInvalid,
    AlreadyDelivered,
    AlreadyPaid,
    AlreadyShipped,
    AmountNotOpenAmount,
    DuplicateLineNumber,
    ForeignCurrency,
    NoLines,
    NotEnoughStock,
    NothingToShip,
    NotPaid,
    NotShipped,
    PriceNotPositive,
    QuantityBelowOne,
    ReferenceUsed,
    Refusal,
    RetiredProduct,
    TotalTooLarge,
    UnknownProduct,
)
from orders_write.exceptions import OrderCancelled as OrderIsCancelled

from .shop import (
    CANCEL,
    CASH,
    CATALOGUE,
    CREDIT,
    DELIVER,
    HOME,
    LAMP,
    MUG,
    SHIP,
    after,
    charge,
    order_in,
    placed,
    wish,
)

ZERO = Decimal(0)


def returned(order: Order, **lines: tuple[int, str]) -> Order:
    quantities = {
        int(number.removeprefix("line")): (qty, Decimal(amount)) for number, (qty, amount) in lines.items()
    }
    return evolve(order, return_items(order, 900, quantities))


def test_an_order_takes_prices_from_the_catalogue_and_sums_them_exactly() -> None:
    event = placed()

    assert [(line.line_no, line.sku, line.qty, line.price, line.amount) for line in event.lines] == [
        (1, "mug", 2, Decimal("2.5"), Decimal("5.0")),
        (2, "lamp", 3, Decimal("0.001"), Decimal("0.003")),
    ]
    assert (event.total, event.open_amount, event.units) == (Decimal("5.003"), Decimal("5.003"), 5)
    assert (event.status, event.country, event.customer_number) == (Status.CONFIRMED, "France", "C7")


def test_an_order_may_hold_the_same_product_on_several_lines() -> None:
    event = place_order(wish(OrderLine(sku="mug", qty=1), OrderLine(sku="mug", qty=1)), 100, CASH, CATALOGUE)

    assert [line.line_no for line in event.lines] == [1, 2]


def test_an_agreed_price_and_line_number_are_kept() -> None:
    event = place_order(wish(OrderLine(sku="mug", qty=1, price=Decimal(9), line_no=42)), 100, CASH, CATALOGUE)

    assert (event.lines[0].line_no, event.total) == (42, Decimal(9))


def test_a_sku_is_case_sensitive() -> None:
    with pytest.raises(UnknownProduct):
        place_order(wish(OrderLine(sku="MUG", qty=1)), 100, CASH, CATALOGUE)


@pytest.mark.parametrize(
    ("lines", "rule"),
    [
        ([OrderLine(sku="mug", qty=0)], QuantityBelowOne),
        ([OrderLine(sku="mug", qty=-1, price=ZERO)], QuantityBelowOne),
        ([OrderLine(sku="mug", qty=1, price=ZERO)], PriceNotPositive),
        ([OrderLine(sku="mug", qty=1, price=Decimal(-1))], PriceNotPositive),
        ([OrderLine(sku="none", qty=1)], UnknownProduct),
        ([OrderLine(sku="old", qty=1)], RetiredProduct),
        ([OrderLine(sku="mug", qty=11)], NotEnoughStock),
        ([OrderLine(sku="mug", qty=6), OrderLine(sku="mug", qty=5)], NotEnoughStock),
        (
            [OrderLine(sku="mug", qty=1, line_no=1), OrderLine(sku="mug", qty=1, line_no=1)],
            DuplicateLineNumber,
        ),
    ],
)
def test_an_order_against_a_rule_is_refused(lines: list[OrderLine], rule: type[Refusal]) -> None:
    catalogue = CATALOGUE | {"old": replace(MUG, sku="old", retired=True)}

    with pytest.raises(rule):
        place_order(wish(*lines), 100, CASH, catalogue)


def test_an_order_in_another_currency_is_refused() -> None:
    with pytest.raises(ForeignCurrency):
        place_order(wish(currency="EUR"), 100, CASH, CATALOGUE)


def test_an_order_that_no_column_can_hold_is_refused() -> None:
    line = OrderLine(sku="mug", qty=2, price=Decimal(5_000_000_000))

    with pytest.raises(TotalTooLarge):
        place_order(wish(line), 100, CASH, CATALOGUE)


def test_an_order_without_lines_is_refused() -> None:
    with pytest.raises(NoLines):
        place_order(replace(wish(), lines=()), 100, CASH, CATALOGUE)


def test_what_others_reserved_is_not_for_sale() -> None:
    with pytest.raises(NotEnoughStock) as refusal:
        place_order(wish(OrderLine(sku="mug", qty=2)), 100, CASH, {"mug": replace(MUG, reserved=9)})

    assert refusal.value.details == {"sku": "mug", "wanted": 2, "available": 1}


@pytest.mark.parametrize("field", ["country", "name", "street", "postcode", "city"])
def test_an_incomplete_address_is_refused(field: str) -> None:
    with pytest.raises(AddressInvalid) as refusal:
        place_order(wish(address=replace(HOME, **{field: " "})), 100, CASH, CATALOGUE)

    assert refusal.value.details == {"missing": [field]}


def test_a_trusted_source_may_leave_out_all_but_the_country() -> None:
    address = replace(HOME, name="", street="", postcode="", city="")

    assert (
        place_order(wish(address=address, address_required=False), 100, CASH, CATALOGUE).country == "France"
    )
    with pytest.raises(AddressInvalid):
        place_order(wish(address=replace(address, country=""), address_required=False), 100, CASH, CATALOGUE)


ANSWERS: dict[tuple[Status, str], type] = {
    (Status.CONFIRMED, "charge"): PaymentCharged,
    (Status.CONFIRMED, "ship"): NotPaid,
    (Status.CONFIRMED, "deliver"): NotShipped,
    (Status.CONFIRMED, "cancel"): OrderCancelled,
    (Status.PAID, "charge"): AlreadyPaid,
    (Status.PAID, "ship"): OrderShipped,
    (Status.PAID, "deliver"): NotShipped,
    (Status.PAID, "cancel"): OrderCancelled,
    (Status.SHIPPED, "charge"): AlreadyPaid,
    (Status.SHIPPED, "ship"): AlreadyShipped,
    (Status.SHIPPED, "deliver"): OrderDelivered,
    (Status.SHIPPED, "cancel"): AlreadyShipped,
    (Status.DELIVERED, "charge"): AlreadyPaid,
    (Status.DELIVERED, "ship"): AlreadyShipped,
    (Status.DELIVERED, "deliver"): AlreadyDelivered,
    (Status.DELIVERED, "cancel"): AlreadyDelivered,
    (Status.CANCELLED, "charge"): OrderIsCancelled,
    (Status.CANCELLED, "ship"): OrderIsCancelled,
    (Status.CANCELLED, "deliver"): OrderIsCancelled,
    (Status.CANCELLED, "cancel"): OrderIsCancelled,
}


@pytest.mark.parametrize(("status", "name"), ANSWERS, ids=str)
def test_every_command_in_every_status(status: Status, name: str) -> None:
    order = order_in(status)
    command = {"charge": charge(order), "ship": SHIP, "deliver": DELIVER, "cancel": CANCEL}[name]
    expected = ANSWERS[status, name]

    if issubclass(expected, Refusal):
        with pytest.raises(expected):
            decide(order, command)
    else:
        assert type(decide(order, command)) is expected


def test_the_table_of_statuses_and_commands_is_complete() -> None:
    assert set(ANSWERS) == {
        (status, name) for status in Status for name in ("charge", "ship", "deliver", "cancel")
    }


def test_only_the_open_amount_can_be_paid() -> None:
    order = order_in(Status.CONFIRMED)

    for amount in (Decimal("5.0031"), Decimal("5.002"), Decimal(-1)):
        with pytest.raises(AmountNotOpenAmount):
            decide(order, ChargePayment(order_id=100, amount=amount, reference="P1"))


def test_a_payment_reference_is_used_once() -> None:
    order = order_in(Status.CONFIRMED)

    with pytest.raises(ReferenceUsed):
        decide(order, charge(order), {"P1"})


def test_what_was_returned_need_not_be_paid() -> None:
    order = returned(order_in(Status.CONFIRMED), line1=(1, "2.5"))

    assert order.open_amount == Decimal("2.503")
    assert after(order, charge(order)).status is Status.PAID


def test_an_order_on_credit_ships_unpaid_and_stays_shipped_when_it_is_paid() -> None:
    order = after(order_in(Status.CONFIRMED, CREDIT), SHIP)

    paid = after(order, charge(order))

    assert (paid.status, paid.open_amount, paid.held) == (Status.SHIPPED, ZERO, ZERO)


def test_an_order_on_credit_holds_its_open_amount() -> None:
    order = order_in(Status.CONFIRMED, CREDIT)

    assert order.held == order.total
    assert returned(order, line1=(2, "5")).held == Decimal("0.003")
    assert after(order, CANCEL).held == ZERO
    assert order_in(Status.CONFIRMED, CASH).held == ZERO


def test_an_order_of_which_everything_came_back_is_not_shipped() -> None:
    order = returned(order_in(Status.PAID), line1=(2, "5"), line2=(3, "0.003"))

    with pytest.raises(NothingToShip):
        decide(order, SHIP)


def test_a_cancellation_undoes_what_was_not_returned_and_refunds_what_was_paid() -> None:
    order = returned(order_in(Status.PAID), line1=(1, "2.5"))

    event = decide(order, CANCEL)

    assert isinstance(event, OrderCancelled)
    assert [(line.sku, line.qty, line.amount) for line in event.lines] == [
        ("mug", 1, Decimal("2.5")),
        ("lamp", 3, Decimal("0.003")),
    ]
    assert (event.amount, event.refund, event.paid) == (Decimal("2.503"), Decimal("5.003"), ZERO)
    assert evolve(order, event).open_amount == ZERO


def test_each_event_raises_the_version_by_one() -> None:
    assert [order_in(status).version for status in Status] == [1, 2, 3, 4, 2]


def test_stock_is_reserved_shipped_and_released() -> None:
    confirmed, paid = order_in(Status.CONFIRMED), order_in(Status.PAID)

    assert list(stock_moves(None, placed())) == [StockMove(1, 0, 2), StockMove(2, 0, 3)]
    assert list(stock_moves(confirmed, decide(confirmed, CANCEL))) == [
        StockMove(1, 0, -2),
        StockMove(2, 0, -3),
    ]
    assert list(stock_moves(paid, decide(paid, SHIP))) == [StockMove(1, -2, -2), StockMove(2, -3, -3)]
    assert list(stock_moves(confirmed, decide(confirmed, charge(confirmed)))) == []


def test_a_return_frees_the_reservation_before_shipping_and_fills_the_warehouse_after() -> None:
    before, shipped = order_in(Status.PAID), order_in(Status.SHIPPED)

    assert list(stock_moves(before, return_items(before, 900, {1: (1, ZERO)}))) == [StockMove(1, 0, -1)]
    assert list(stock_moves(shipped, return_items(shipped, 900, {1: (1, ZERO)}))) == [StockMove(1, 1, 0)]


def test_what_is_shipped_after_a_return_is_the_rest() -> None:
    order = returned(order_in(Status.PAID), line1=(1, "2.5"))

    assert list(stock_moves(order, decide(order, SHIP))) == [StockMove(1, -1, -1), StockMove(2, -3, -3)]


def test_moves_of_one_product_are_summed_in_the_order_of_the_keys() -> None:
    moves = [StockMove(2, 0, 1), StockMove(1, 1, 0), StockMove(2, 3, -4)]

    assert sum_moves(moves) == (StockMove(1, 1, 0), StockMove(2, 3, -3))


def test_a_lamp_of_a_tenth_of_a_penny_is_never_rounded() -> None:
    event = place_order(wish(OrderLine(sku="lamp", qty=7)), 100, CASH, {"lamp": LAMP})

    assert event.total == Decimal("0.007")
