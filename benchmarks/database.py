"""The database of a run: made once, filled with a catalogue, and copied for each measurement."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import psycopg
from django.core.management import call_command
from django.db import connection, connections
from psycopg import sql

from orders_write.commands import ListProduct
from orders_write.handlers import handle_batch
from orders_write.models import User
from orders_write.requests import Request

from .naive import models as naive
from .settings import DATABASE

EMPTY, FILLED = f"{DATABASE}_empty", f"{DATABASE}_filled"
PRODUCTS, CUSTOMERS = 1_000, 200
CATEGORIES = ("kitchen", "garden", "toys", "light")
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def prepare() -> None:
    """Make the two templates: `bench_empty` with tables alone, `bench_filled` with products and customers."""
    _replace(DATABASE, None)
    call_command("migrate", verbosity=0)
    call_command("migrate", verbosity=0, run_syncdb=True)  # the naive twin's tables refer to the others
    _save_as(EMPTY)
    _fill()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    _save_as(FILLED)


def fresh(template: str = FILLED) -> None:
    """Put a new copy of a template into the place of the database, with nothing left to write behind it."""
    _replace(DATABASE, template)
    with _server() as server:
        server.execute("CHECKPOINT")


def save_as(template: str) -> None:
    """Keep the database as a template."""
    _save_as(template)


def drop() -> None:
    """Leave nothing behind."""
    with _server() as server:
        for (name,) in server.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE %s", [f"{DATABASE}%"]
        ).fetchall():
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def skus() -> list[str]:
    """Name the products of the catalogue."""
    return [f"sku-{number:04}" for number in range(PRODUCTS)]


def users() -> list[int]:
    """Return the keys of the customers."""
    return list(
        User.objects.filter(username__startswith="customer-").order_by("id").values_list("id", flat=True)
    )


def _fill() -> None:
    wanted = skus()
    for start in range(0, PRODUCTS, 500):
        handle_batch([_listing(sku, number) for number, sku in enumerate(wanted[start : start + 500])])
    naive.Product.objects.bulk_create(
        naive.Product(
            sku=sku,
            name=f"Product {sku}",
            category=CATEGORIES[number % len(CATEGORIES)],
            price=Decimal("2.50"),
            stock=1_000_000_000,
        )
        for number, sku in enumerate(wanted)
    )
    User.objects.bulk_create(
        User(username=f"customer-{number}", customer_number=str(number)) for number in range(CUSTOMERS)
    )


def _listing(sku: str, number: int) -> Request:
    command = ListProduct(
        sku=sku,
        name=f"Product {sku}",
        category=CATEGORIES[number % len(CATEGORIES)],
        price=Decimal("2.50"),
        on_hand=1_000_000_000,
    )
    return Request(command=command, actor="benchmark", now=NOW)


def _save_as(template: str) -> None:
    connections.close_all()
    with _server() as server:
        _create(server, template, DATABASE)


def _replace(name: str, template: str | None) -> None:
    connections.close_all()
    with _server() as server:
        _create(server, name, template)


def _create(server: psycopg.Connection[Sequence[object]], name: str, template: str | None) -> None:
    server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
    wanted = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    server.execute(wanted.format(sql.Identifier(name), sql.Identifier(template or "template1")))


def _server() -> psycopg.Connection[Sequence[object]]:
    parameters = connection.get_connection_params()
    wanted = {key: parameters[key] for key in ("host", "port", "user", "password") if parameters.get(key)}
    return psycopg.connect(**wanted, dbname="postgres", autocommit=True)
