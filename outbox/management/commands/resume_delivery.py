"""`manage.py resume_delivery`: deliver again to subscribers that were paused."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from outbox.actions import shell_actor
from outbox.exceptions import UnknownSubscribers
from outbox.pauses import paused, resume


class Command(BaseCommand):
    help = "Resume paused subscribers: each goes on with the event after the last one that it took in."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="projections or publishers")
        parser.add_argument("--all", action="store_true", help="all that are paused")
        parser.add_argument("--reason", default="", help="why; kept in the record of operators' actions")
        parser.add_argument("--actor", help="who; default: the name that you logged in with")

    def handle(self, *args: Any, names: list[str], reason: str, **options: Any) -> None:
        if bool(names) == options["all"]:
            raise CommandError("Name subscribers, or give --all.")
        names = names or [one.subscriber for one in paused()]
        try:
            changed = resume(names, options["actor"] or shell_actor(), reason.strip())
        except UnknownSubscribers as refusal:
            raise CommandError(refusal.told) from refusal
        for name in sorted(set(names)):
            self.stdout.write(f"{name} is resumed." if name in changed else f"{name} was not paused.")
        if not names:
            self.stdout.write("Nobody is paused.")
