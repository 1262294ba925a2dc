"""List the products of a file before the first order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from ..commands import ListProduct
from ..idempotency import Key
from ..requests import Request
from .fields import Fields, WrongShape
from .files import BadFile, rows
from .files import sha256 as file_sha256
from .records import NAME, SKU
from .runner import answer_to, run_requests

COLUMNS = ("sku", "name", "is_merchandise", "first_sale_price", "sold")
BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """How many products are new, and how many stood in the catalogue already."""

    new: int
    existing: int


def read_products(path: Path, opening_stock: int) -> list[ListProduct]:
    """Read the products that were ever sold; raises BadFile with the line's number."""
    products: dict[str, ListProduct] = {}
    for number, row in rows(path, COLUMNS):
        if row["sold"] == "1":
            try:
                product = _product(row, opening_stock)
            except WrongShape as error:
                raise BadFile(path, str(error), number) from error
            if product.sku in products:
                raise BadFile(path, f"sku {product.sku} occurs twice", number)
            products[product.sku] = product
    return list(products.values())


def list_products(path: Path, products: Sequence[ListProduct], *, source: str, now: datetime) -> Listed:
    """List products that were read from a file, as of `now`; those that stand in the catalogue stay as they are."""
    digest, new = file_sha256(path), 0
    for start in range(0, len(products), BATCH):
        requests = [_request(product, digest, source, now) for product in products[start : start + BATCH]]
        new += sum(not outcome.replayed and outcome.refusal is None for outcome in run_requests(requests))
    return Listed(new=new, existing=len(products) - new)


def _product(row: dict[str, str], opening_stock: int) -> ListProduct:
    fields = Fields(row, frozenset(row))
    price = fields.money("first_sale_price")
    if price <= 0:
        raise WrongShape("first_sale_price must be above zero")
    return ListProduct(
        sku=fields.text("sku", SKU),
        name=fields.maybe_text("name", NAME) or fields.text("sku", SKU),
        category="merchandise" if row["is_merchandise"] == "1" else "other",
        price=price,
        on_hand=opening_stock,
    )


def _request(product: ListProduct, digest: str, source: str, now: datetime) -> Request:
    # The fingerprint leaves out the opening stock: another one, asked for later, changes nothing either.
    key = Key(f"import:{digest}", product.sku, sha256(product.sku.encode()).digest())
    return Request(command=product, actor=f"import:{source}", now=now, key=key, render=answer_to)
