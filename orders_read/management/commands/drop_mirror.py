"""`manage.py drop_mirror`: feed a mirror no more, and delete its documents."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from orders_read.mirrors.building import mirror_of
from orders_read.mirrors.dropping import drop
from orders_read.mirrors.exceptions import MirrorAtWork, MirrorError
from orders_read.stores.contract import StoreUnavailable
from outbox.actions import shell_actor

AT_WORK = 4


class Command(BaseCommand):
    help = (
        "Take a read model out of the store that READ_STORES names for it: readers go to PostgreSQL, the mirror's "
        "documents are deleted, and the log need not be kept for it. Take it out of READ_STORES afterwards. "
        "Exit code: 0 done, 1 not possible, 4 another process is at it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="a read model")
        parser.add_argument("--reason", default="", help="for the record")
        parser.add_argument("--actor", help="who; default: the name that you logged in with")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        try:
            drop(mirror_of(name), options["actor"] or shell_actor(), options["reason"])
        except MirrorAtWork as refusal:
            raise CommandError(str(refusal), returncode=AT_WORK) from refusal
        except (MirrorError, StoreUnavailable) as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"{name} is in PostgreSQL alone.")
