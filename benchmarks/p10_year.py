"""P10: a year of real orders, from the first command to the last read model, beside the naive twin."""

import time
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path

from django.db import connections

from orders_write.importing.catalogue import read_products
from orders_write.importing.stream import records

from . import database
from .cpu import Spent
from .figures import Figure
from .naive import handlers as naive
from .naive.models import Product
from .naive.projections import project_new_events
from .workers import manage, wait_until_delivered

SAMPLE = Path(__file__).parent.parent / "examples" / "online_retail"
STREAM = SAMPLE / "commands.jsonl.xz"
PRODUCTS, CUSTOMERS = SAMPLE / "products.csv.xz", SAMPLE / "customers.csv.xz"
COMMANDS, LINES = 23_795, 530_103
OPENING_STOCK = 1_000_000
LONGEST_SECONDS = 300


def measure(*, quick: bool) -> Iterator[Figure]:
    """Measure the year once: it is long enough. A quick run stops after its first 1,500 commands."""
    limit = 1_500 if quick else COMMANDS
    seconds, cpu_seconds = _import(limit)
    naive_seconds, done_lines = _naive_import(60 if quick else 400)
    lines = LINES if limit == COMMANDS else _lines(limit)
    yield Figure(
        row="P10",
        quantity=f"the real year: {limit:,} commands, {lines:,} order lines, to the last read model",
        unit="s",
        measured=seconds,
        target=None if quick else 60,
        lower_is_better=True,
        peer=naive_seconds * lines / done_lines,
        peer_name=f"naive twin, three read models, extrapolated from its first {done_lines:,} lines",
    )
    yield Figure(
        row="P10",
        quantity="processor time of that: server, importer, worker",
        unit="s",
        measured=cpu_seconds,
        lower_is_better=True,
    )


def _import(limit: int) -> tuple[float, float]:
    """Import in one process and deliver in another, as a shop does; reading and checking the files counts.

    Returns the seconds that passed, and the seconds of processor time that server, importer and worker spent.
    """
    database.fresh(database.EMPTY)
    spent = Spent()
    connections.close_all()
    began = time.perf_counter()
    worker = manage("run_delivery", "--interval=0.05")
    try:
        files = ("--products", PRODUCTS, "--customers", CUSTOMERS)
        importer = manage("import_orders", STREAM, *files, "--source=online_retail", f"--limit={limit}")
        assert importer.wait() == 0
        wait_until_delivered(LONGEST_SECONDS)
        seconds = time.perf_counter() - began
    finally:
        worker.terminate()
        worker.wait(10)
    return seconds, spent.all_seconds()


def _naive_import(limit: int) -> tuple[float, int]:
    """Let the naive twin take the first commands and project them; returns seconds and order lines."""
    database.fresh(database.EMPTY)
    Product.objects.bulk_create(
        Product(sku=each.sku, name=each.name, category=each.category, price=each.price, stock=OPENING_STOCK)
        for each in read_products(PRODUCTS, OPENING_STOCK)
    )
    began, lines = time.perf_counter(), 0
    for record in islice(records(STREAM), limit):
        values = record.fields.values
        said = [_naive_line(line) for line in values["lines"]]
        if record.type == "PlaceOrder":
            lines += len(said)
            order_id = values["order_id"]
            naive.place_order(str(record.seq), None, order_id, values["country"], said, record.occurred_at)
        else:
            note_id = values["credit_note_id"]
            naive.record_credit_note(str(record.seq), note_id, values["country"], said, record.occurred_at)
    project_new_events()
    return time.perf_counter() - began, lines


def _naive_line(line: dict[str, object]) -> naive.Line:
    return naive.Line(
        int(str(line["line_no"])),
        str(line["sku"]),
        int(str(line["qty"])),
        Decimal(str(line["unit_price"])),
        line.get("orig_order_id"),
        line.get("orig_line_no"),
    )


def _lines(limit: int) -> int:
    placed = (record for record in records(STREAM, limit) if record.type == "PlaceOrder")
    return sum(len(record.fields.values["lines"]) for record in placed)
