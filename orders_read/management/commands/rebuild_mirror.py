"""`manage.py rebuild_mirror`: build the documents of a read model in another store, or build them anew."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from orders_read.mirrors.building import mirror_of, rebuild
from orders_read.mirrors.exceptions import MirrorAtWork, MirrorError
from orders_read.stores.contract import StoreUnavailable
from outbox.actions import shell_actor

AT_WORK = 4
SAID_EVERY = 10_000


class Command(BaseCommand):
    help = (
        "Copy a read model into the store that READ_STORES names for it, let the copy catch up, and show it to "
        "readers, who see the old one until then, or PostgreSQL's. What was interrupted is gone on with. "
        "Exit code: 0 done, 1 not possible, 4 another process is at it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="a read model")
        parser.add_argument("--reason", default="", help="for the record")
        parser.add_argument("--actor", help="who; default: the name that you logged in with")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        self._copied = 0
        try:
            documents = rebuild(
                mirror_of(name), options["actor"] or shell_actor(), options["reason"], self._watch
            )
        except MirrorAtWork as refusal:
            raise CommandError(str(refusal), returncode=AT_WORK) from refusal
        except (MirrorError, StoreUnavailable) as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"{name}: {documents:,} documents were copied, and are shown.")

    def _watch(self, documents: int) -> None:
        before, self._copied = self._copied, self._copied + documents
        if before // SAID_EVERY < self._copied // SAID_EVERY:
            self.stderr.write(f"{self._copied:,} documents")
