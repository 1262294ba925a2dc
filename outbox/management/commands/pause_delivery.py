"""`manage.py pause_delivery`: deliver nothing to some subscribers until they are resumed."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from outbox.actions import shell_actor
from outbox.exceptions import UnknownSubscribers
from outbox.pauses import known_subscribers, pause, paused


class Command(BaseCommand):
    help = (
        "Pause subscribers: nothing is delivered to them, and nothing is lost, until `resume_delivery`. "
        "The reason is shown by `delivery_status` and kept in the record of operators' actions."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="projections or publishers")
        parser.add_argument("--all", action="store_true", help="all of them")
        parser.add_argument("--reason", required=True, help="why; others will read it")
        parser.add_argument("--actor", help="who; default: the name that you logged in with")

    def handle(self, *args: Any, names: list[str], reason: str, **options: Any) -> None:
        if bool(names) == options["all"]:
            raise CommandError("Name subscribers, or give --all.")
        if not reason.strip():
            raise CommandError("Give a reason.")
        try:
            names = names or known_subscribers()
            changed = pause(names, reason.strip(), options["actor"] or shell_actor())
        except UnknownSubscribers as refusal:
            raise CommandError(refusal.told) from refusal
        known = {one.subscriber: one for one in paused()}
        for name in sorted(set(names)):
            if name in changed:
                self.stdout.write(f"{name} is paused.")
            elif name in known:
                said = known[name]
                self.stdout.write(f"{name} is paused already, by {said.actor}: {said.reason}")
