"""A product: what it is called and costs, and how many pieces there are."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, NamedTuple, assert_never

from ..commands import ListProduct, RepriceProduct, RestockProduct, RetireProduct
from ..events import (
    AnyProductEvent,
    ProductEvent,
    ProductListed,
    ProductRepriced,
    ProductRestocked,
    ProductRetired,
)
from ..exceptions import (
    AlreadyRetired,
    OpeningStockNegative,
    PriceNotPositive,
    ProductExists,
    QuantityBelowOne,
    RetiredProduct,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """`on_hand` pieces lie in the warehouse, `reserved` of them belong to orders that have not left."""

    product_id: int
    sku: str
    name: str
    category: str
    price: Decimal
    retired: bool
    on_hand: int
    reserved: int
    version: int

    @property
    def available(self) -> int:
        """How many pieces can still be sold."""
        return self.on_hand - self.reserved


class StockMove(NamedTuple):
    """How an event of an order changes the stock of one product."""

    product_id: int
    on_hand: int
    reserved: int


def list_product(command: ListProduct, product_id: int, existing: Product | None) -> ProductListed:
    """Decide on a new product."""
    if existing is not None:
        raise ProductExists(sku=command.sku)
    if command.price <= 0:
        raise PriceNotPositive(sku=command.sku)
    if command.on_hand < 0:
        raise OpeningStockNegative(sku=command.sku)
    return ProductListed(
        product_id=product_id,
        sku=command.sku,
        name=command.name,
        category=command.category,
        price=command.price,
        retired=False,
        on_hand=command.on_hand,
    )


def decide(product: Product, command: RepriceProduct | RestockProduct | RetireProduct) -> AnyProductEvent:
    """Decide on a change of a listed product."""
    match command:
        case RepriceProduct():
            return _reprice(product, command)
        case RestockProduct():
            return _restock(product, command)
        case RetireProduct():
            return _retire(product)
        case _:
            assert_never(command)


def evolve(product: Product | None, event: AnyProductEvent) -> Product:
    """Return the product after one of its events."""
    if isinstance(event, ProductListed):
        return _listed(event)
    assert product is not None
    match event:
        case ProductRepriced():
            return replace(product, price=event.price, version=product.version + 1)
        case ProductRestocked():
            return replace(product, on_hand=event.on_hand, version=product.version + 1)
        case ProductRetired():
            return replace(product, retired=True, version=product.version + 1)
        case _:
            assert_never(event)


def move(product: Product, stock_move: StockMove) -> Product:
    """Return the product after an order moved its stock; the product's version stays."""
    return replace(
        product,
        on_hand=product.on_hand + stock_move.on_hand,
        reserved=product.reserved + stock_move.reserved,
    )


def sum_moves(moves: Iterable[StockMove]) -> tuple[StockMove, ...]:
    """Return one move per product, in the order of the products' keys."""
    sums: dict[int, tuple[int, int]] = {}
    for each in moves:
        on_hand, reserved = sums.get(each.product_id, (0, 0))
        sums[each.product_id] = (on_hand + each.on_hand, reserved + each.reserved)
    return tuple(StockMove(product_id, *sums[product_id]) for product_id in sorted(sums))


def _listed(event: ProductListed) -> Product:
    return Product(
        product_id=event.product_id,
        sku=event.sku,
        name=event.name,
        category=event.category,
        price=event.price,
        retired=False,
        on_hand=event.on_hand,
        reserved=0,
        version=1,
    )


def _reprice(product: Product, command: RepriceProduct) -> ProductRepriced:
    if product.retired:
        raise RetiredProduct(sku=product.sku)
    if command.price <= 0:
        raise PriceNotPositive(sku=product.sku)
    return ProductRepriced(**_standing(replace(product, price=command.price)), previous_price=product.price)


def _restock(product: Product, command: RestockProduct) -> ProductRestocked:
    if command.qty < 1:
        raise QuantityBelowOne(sku=product.sku)
    return ProductRestocked(**_standing(product), qty=command.qty, on_hand=product.on_hand + command.qty)


def _retire(product: Product) -> ProductRetired:
    if product.retired:
        raise AlreadyRetired(sku=product.sku)
    return ProductRetired(**_standing(replace(product, retired=True)))


def _standing(product: Product) -> dict[str, Any]:
    """Return the fields that every product event carries."""
    return {name: getattr(product, name) for name in ProductEvent.__dataclass_fields__}
