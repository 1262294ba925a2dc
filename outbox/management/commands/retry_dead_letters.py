"""`manage.py retry_dead_letters`: try again, through today's code, what could not be taken in."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import connection, transaction

from outbox import actions, folds
from outbox.careful import CarefulEngine
from outbox.retry import retry, states
from outbox.selection import add_selection, counted, selected
from outbox.subscribers import projections


class Command(BaseCommand):
    help = (
        "Try dead letters again: events are read from the log anew, and folded by today's code where it differs from "
        "what a generation of the same version keeps. Exit code 1 when some failed again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_selection(parser)
        parser.add_argument("--all", action="store_true", help="all open dead letters")
        parser.add_argument("--reason", default="", help="for the record")
        parser.add_argument("--actor", help="who; default: the name that you logged in with")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be touched")

    def handle(self, *args: Any, **options: Any) -> None:
        letters = selected(options, all_by_default=False)
        if options["dry_run"]:
            self.stdout.write(f"Would retry {counted(letters)}.")
            return
        actor = options["actor"] or actions.shell_actor()
        self._adopt_folds(actor, options["reason"])
        retry(letters, actor, options["reason"])
        self.stdout.write(f"Retrying {counted(letters)} ...")
        _deliver()
        found = states(letters)
        self.stdout.write(
            ", ".join(f"{count} {state}" for state, count in sorted(found.items())) or "Nothing to do."
        )
        if found.keys() - {"delivered", "skipped"}:
            self.stdout.write(
                "What is not delivered is tried again by workers; see `list_dead_letters` for its error."
            )
            sys.exit(1)

    def _adopt_folds(self, actor: str, reason: str) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            for projection in projections():
                if folds.adopt(cursor, projection):
                    actions.record(connection, actor, "adopt_folds", projection.name, reason)
                    self.stdout.write(f"{projection.name} is folded by today's code from now on.")


def _deliver() -> None:
    """Do what workers would do; publishers are left to their own process."""
    engine = CarefulEngine("retry_dead_letters")
    try:
        while engine.drain():
            pass
    finally:
        engine.close()
