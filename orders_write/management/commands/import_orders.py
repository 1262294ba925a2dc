"""`manage.py import_orders`: a year of commands from a file."""

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from orders_write.exceptions import KeyReused, StillRunning
from orders_write.importing.catalogue import list_products, read_products
from orders_write.importing.customers import NameTaken, create_customers, read_customers, user_ids
from orders_write.importing.files import BadFile
from orders_write.importing.progress import shown
from orders_write.importing.report import Report
from orders_write.importing.runner import Import, Step
from orders_write.importing.stream import Survey, records, survey
from orders_write.importing.workers import WorkerLost, run_in_processes

BAD_FILE, SOME_REFUSED = 2, 3


class Command(BaseCommand):
    help = (
        "Run a file of commands (.jsonl or .jsonl.xz, one JSON object a line) through the command handlers. "
        "The whole file is checked before its first command runs. An import that was interrupted is started again "
        "by the same call and goes on where it stopped; one that is complete changes nothing when it is repeated. "
        "Exit code: 0 all commands were accepted, 2 a file is bad and nothing was done, 3 some commands were refused."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, help="the file of commands")
        parser.add_argument("--products", type=Path, metavar="CSV", help="list these products first")
        parser.add_argument("--customers", type=Path, metavar="CSV", help="create these customers first")
        parser.add_argument(
            "--batch", type=_at_least_one, default=200, metavar="N", help="commands a transaction (200)"
        )
        parser.add_argument("--limit", type=_at_least_one, metavar="N", help="only the first N commands")
        parser.add_argument(
            "--processes", type=_at_least_one, default=1, metavar="N", help="share the customers out (1)"
        )
        parser.add_argument(
            "--report", type=Path, metavar="FILE", help="write refused commands here, as JSON lines"
        )
        parser.add_argument(
            "--source", help="names the file's orders apart from others (the name of its folder)"
        )
        parser.add_argument(
            "--opening-stock",
            type=_not_negative,
            default=1_000_000,
            metavar="N",
            help="of each product (1000000)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with _one_clear_sentence():
            refused = self._import(**options)
        if refused:
            sys.exit(SOME_REFUSED)

    def _import(self, *, path: Path, source: str | None, report: Path | None, **options: Any) -> int:
        source = (source or path.resolve().parent.name or "import")[:64]
        found = survey(path, options["limit"])
        _refuse_shared_products(path, found, options["processes"])
        with _report_file(report) as file:
            users = self._prepare(found, source, **options)
            work = Import(sha256=found.sha256, source=source, users=users, batch=options["batch"])
            written = Report(file)
            self._run(work, path, found, written, options["limit"], options["processes"])
        self._tell_refused(written, report)
        return sum(written.rules.values())

    def _prepare(
        self,
        found: Survey,
        source: str,
        *,
        products: Path | None,
        customers: Path | None,
        opening_stock: int,
        **_: Any,
    ) -> dict[str, int]:
        """Read every file before the first row is written, then list products and create customers."""
        now = found.starts_at or timezone.now()
        wanted = read_products(products, opening_stock) if products else []
        known: dict[str, datetime] = read_customers(customers) if customers else {}
        if products:
            listed = list_products(products, wanted, source=source, now=now)
            self.stdout.write(f"Products: {listed.new:,} listed, {listed.existing:,} were there already.")
        created = create_customers(dict.fromkeys(found.customers, now) | known)
        self.stdout.write(f"Customers: {created:,} created.")
        return user_ids()

    def _run(
        self, work: Import, path: Path, found: Survey, report: Report, limit: int | None, processes: int
    ) -> None:
        began = time.monotonic()
        steps: Iterator[Step] = (
            work.run(records(path, limit))
            if processes == 1
            else run_in_processes(work, path, limit, found.owners, processes)
        )
        replayed = 0
        for step in shown(steps, found.count, cast(TextIO, self.stdout._out)):  # noqa: SLF001 – the wrapper is no TextIO
            replayed += step.replayed
            report.add(step.refused)
        seconds = time.monotonic() - began
        rate = found.count / seconds if seconds else 0
        earlier = f", of which {replayed:,} had run before" if replayed else ""
        self.stdout.write(f"Commands: {found.count:,} in {seconds:,.1f} s ({rate:,.0f}/s){earlier}.")

    def _tell_refused(self, report: Report, path: Path | None) -> None:
        if not report.rules:
            return
        self.stdout.write(f"Refused: {sum(report.rules.values()):,}")
        for rule, count in report.rules.most_common():
            self.stdout.write(f"  {count:>6,} {rule}")
        if path:
            self.stdout.write(f"Each is told of in {path}.")
        elif report.first:
            first = report.first
            self.stdout.write(
                f"The first is line {first.line}: {first.problem.message} {first.problem.details}"
            )
            self.stdout.write("--report FILE writes down all of them.")


@contextmanager
def _one_clear_sentence() -> Iterator[None]:
    try:
        yield
    except BadFile as error:
        raise CommandError(str(error), returncode=BAD_FILE) from error
    except StillRunning as error:
        raise CommandError("Another import of this file is running.") from error
    except KeyReused as error:
        raise CommandError(
            f"Command {error.details['key']} was imported before with other content."
        ) from error
    except (NameTaken, WorkerLost) as error:
        raise CommandError(str(error)) from error


@contextmanager
def _report_file(path: Path | None) -> Iterator[BinaryIO | None]:
    if path is None:
        yield None
        return
    try:
        file = path.open("wb")
    except OSError as error:
        raise BadFile(path, (error.strerror or str(error)).lower()) from error
    with file:
        yield file


def _refuse_shared_products(path: Path, found: Survey, processes: int) -> None:
    if processes > 1 and found.changes_products:
        raise BadFile(
            path, "it changes products, which all customers share, so only one process keeps its order"
        )


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _not_negative(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return number
