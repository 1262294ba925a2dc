"""`manage.py enable_webhook`: give an endpoint events again."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from outbox.actions import shell_actor
from outbox.exceptions import UnknownSubscribers
from outbox.publishers import endpoints


class Command(BaseCommand):
    help = "Give an endpoint events again, beginning with those that it missed; closes its breaker too."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--actor", help="who; default: the name that you logged in with")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        try:
            endpoints.enable(options["actor"] or shell_actor(), name)
        except UnknownSubscribers as refusal:
            raise CommandError(refusal.told) from refusal
        except ValueError as refusal:  # the log was pruned
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"{name} is enabled.")
