"""`manage.py refresh_views`: compute materialized views anew."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from orders_read.refreshing import RefreshAtWork, names, refresh
from outbox.connection import connect

AT_WORK = 4


class Command(BaseCommand):
    help = (
        "Compute materialized views anew, all of them or those that are named, while their readers go on. Workers do "
        "so by themselves. Exit code: 0 done, 1 refused, 4 another process refreshes one of them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="a materialized view")
        parser.add_argument("--if-due", action="store_true", help="only what is old enough, as workers do")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = options["names"] or names()
        if unknown := sorted({*wanted} - {*names()}):
            message = f"There is no materialized view {', '.join(unknown)}. There are: {', '.join(names())}."
            raise CommandError(message)
        with connect("refresh views") as connection:
            for name in wanted:
                try:
                    seconds = refresh(connection, name, if_due=options["if_due"])
                except RefreshAtWork as refusal:
                    message = f"{name} is being refreshed by another process."
                    raise CommandError(message, returncode=AT_WORK) from refusal
                self.stdout.write(
                    f"{name}: not due" if seconds is None else f"{name}: refreshed in {seconds:.3f} s"
                )
