"""`manage.py skip_dead_letters`: leave out for ever what cannot be taken in."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from outbox.actions import shell_actor
from outbox.retry import skip
from outbox.selection import add_selection, counted, selected


class Command(BaseCommand):
    help = (
        "Skip the events of dead letters: their subscribers step over them within a second, and go on with what waits "
        "behind. A read model then differs from a replay of the log, so a reason is asked for and kept."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_selection(parser)
        parser.add_argument("--all", action="store_true", help="all open dead letters")
        parser.add_argument("--reason", required=True, help="why; it is kept")
        parser.add_argument("--actor", help="who; default: the name that you logged in with")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be touched")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["reason"].strip():
            raise CommandError("Give a reason.")
        letters = selected(options, all_by_default=False)
        if options["dry_run"]:
            self.stdout.write(f"Would skip {counted(letters)}.")
            return
        count = skip(letters, options["actor"] or shell_actor(), options["reason"].strip())
        self.stdout.write(f"Skipping {count} dead letters: {counted(letters)}.")
