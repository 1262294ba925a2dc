from dataclasses import replace
from decimal import Decimal

import pytest

from orders_write.commands import ListProduct, RepriceProduct, RestockProduct, RetireProduct, SetCreditLimit
from orders_write.domain import credit, product
from orders_write.domain.credit import CreditAccount
from orders_write.domain.product import Product, StockMove
from orders_write.events import ProductRepriced, ProductRestocked, ProductRetired
from orders_write.exceptions import (
    AlreadyRetired,
    CreditExceeded,
    CreditLimitBelowUse,
    CreditLimitNegative,
    OpeningStockNegative,
    PriceNotPositive,
    ProductExists,
    QuantityBelowOne,
    Refusal,
    RetiredProduct,
)

from .shop import MUG

NEW = ListProduct(sku="mug", name="Mug", category="kitchen", price=Decimal("2.5"), on_hand=10)
RETIRED = replace(MUG, retired=True)
ACCOUNT = CreditAccount(user_id=7, limit=Decimal(100), used=Decimal(40), version=3)


def test_a_listed_product_can_be_sold() -> None:
    assert product.evolve(None, product.list_product(NEW, 1, None)) == MUG


@pytest.mark.parametrize(
    ("command", "existing", "rule"),
    [
        (NEW, MUG, ProductExists),
        (replace(NEW, price=Decimal(0)), None, PriceNotPositive),
        (replace(NEW, on_hand=-1), None, OpeningStockNegative),
    ],
)
def test_a_product_is_not_listed_against_a_rule(
    command: ListProduct, existing: Product | None, rule: type[Refusal]
) -> None:
    with pytest.raises(rule):
        product.list_product(command, 1, existing)


def test_a_product_is_repriced_restocked_and_retired() -> None:
    repriced = product.decide(MUG, RepriceProduct(sku="mug", price=Decimal(3)))
    restocked = product.decide(MUG, RestockProduct(sku="mug", qty=5))
    retired = product.decide(MUG, RetireProduct(sku="mug"))

    assert isinstance(repriced, ProductRepriced)
    assert repriced.previous_price == Decimal("2.5")
    assert product.evolve(MUG, repriced) == replace(MUG, price=Decimal(3), version=2)
    assert isinstance(restocked, ProductRestocked)
    assert product.evolve(MUG, restocked) == replace(MUG, on_hand=15, version=2)
    assert isinstance(retired, ProductRetired)
    assert product.evolve(MUG, retired) == replace(RETIRED, version=2)


@pytest.mark.parametrize(
    ("state", "command", "rule"),
    [
        (MUG, RepriceProduct(sku="mug", price=Decimal(0)), PriceNotPositive),
        (RETIRED, RepriceProduct(sku="mug", price=Decimal(1)), RetiredProduct),
        (MUG, RestockProduct(sku="mug", qty=0), QuantityBelowOne),
        (RETIRED, RetireProduct(sku="mug"), AlreadyRetired),
    ],
)
def test_a_product_is_not_changed_against_a_rule(
    state: Product, command: RepriceProduct | RestockProduct | RetireProduct, rule: type[Refusal]
) -> None:
    with pytest.raises(rule):
        product.decide(state, command)


def test_a_retired_product_can_be_restocked_because_returns_and_counts_go_on() -> None:
    assert product.evolve(RETIRED, product.decide(RETIRED, RestockProduct(sku="mug", qty=1))).on_hand == 11


def test_moving_stock_leaves_the_version() -> None:
    assert product.move(MUG, StockMove(1, -1, 2)) == replace(MUG, on_hand=9, reserved=2)


def test_the_first_limit_opens_the_account() -> None:
    account = credit.unopened(7)

    opened = credit.evolve(account, credit.decide(account, SetCreditLimit(user_id=7, limit=Decimal(50))))

    assert opened == CreditAccount(user_id=7, limit=Decimal(50), used=Decimal(0), version=1)


@pytest.mark.parametrize(("limit", "rule"), [("39.9999", CreditLimitBelowUse), ("-1", CreditLimitNegative)])
def test_a_limit_against_a_rule_is_refused(limit: str, rule: type[Refusal]) -> None:
    with pytest.raises(rule):
        credit.decide(ACCOUNT, SetCreditLimit(user_id=7, limit=Decimal(limit)))


def test_a_limit_may_go_down_to_what_is_used() -> None:
    event = credit.decide(ACCOUNT, SetCreditLimit(user_id=7, limit=Decimal(40)))

    assert (event.limit, event.previous_limit, event.used) == (Decimal(40), Decimal(100), Decimal(40))


def test_credit_is_used_up_to_the_limit_and_freed() -> None:
    assert credit.hold(ACCOUNT, Decimal(60)).used == Decimal(100)
    assert credit.hold(ACCOUNT, Decimal(-40)).used == Decimal(0)
    with pytest.raises(CreditExceeded):
        credit.hold(ACCOUNT, Decimal("60.0001"))
