"""The small shop in which the rules are tried: a mug, a lamp, and orders in every status."""

from dataclasses import replace
from decimal import Decimal

from orders_write.commands import (
    Address,
    CancelOrder,
    ChargePayment,
    DeliverOrder,
    OrderCommand,
    OrderLine,
    PlaceOrder,
    ShipOrder,
)
from orders_write.domain.order import Buyer, Order, decide, evolve, place_order
from orders_write.domain.product import Product
from orders_write.events import OrderPlaced, Status

MUG = Product(
    product_id=1,
    sku="mug",
    name="Mug",
    category="kitchen",
    price=Decimal("2.5"),
    retired=False,
    on_hand=10,
    reserved=0,
    version=1,
)
LAMP = replace(MUG, product_id=2, sku="lamp", name="Lamp", category="light", price=Decimal("0.001"))
CATALOGUE = {"mug": MUG, "lamp": LAMP}
HOME = Address(country="France", name="Ada", street="1 Rue A", postcode="75001", city="Paris")
CASH = Buyer(user_id=7, customer_number="C7", on_credit=False)
CREDIT = replace(CASH, on_credit=True)


def wish(*lines: OrderLine, **changes: object) -> PlaceOrder:
    """Wish for two mugs and three lamps, or for the lines given."""
    two_mugs_three_lamps = (OrderLine(sku="mug", qty=2), OrderLine(sku="lamp", qty=3))
    command = PlaceOrder(user_id=7, lines=lines or two_mugs_three_lamps, address=HOME)
    return replace(command, **changes)  # type: ignore[arg-type]


def placed(buyer: Buyer = CASH) -> OrderPlaced:
    return place_order(wish(), 100, buyer, CATALOGUE)


def charge(order: Order) -> ChargePayment:
    return ChargePayment(order_id=order.order_id, amount=order.open_amount, reference="P1")


SHIP, DELIVER, CANCEL = ShipOrder(order_id=100), DeliverOrder(order_id=100), CancelOrder(order_id=100)


def after(order: Order, *commands: OrderCommand) -> Order:
    for command in commands:
        order = evolve(order, decide(order, command))
    return order


def order_in(status: Status, buyer: Buyer = CASH) -> Order:
    """Bring an order to a status by its commands."""
    order = evolve(None, placed(buyer))
    match status:
        case Status.CONFIRMED:
            return order
        case Status.PAID:
            return after(order, charge(order))
        case Status.SHIPPED:
            return after(order, charge(order), SHIP)
        case Status.DELIVERED:
            return after(order, charge(order), SHIP, DELIVER)
        case Status.CANCELLED:
            return after(order, CANCEL)
