"""`manage.py ping_webhook`: send a test event to an endpoint."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from outbox.actions import shell_actor
from outbox.exceptions import UnknownSubscribers
from outbox.publishers import endpoints


class Command(BaseCommand):
    help = "Send a test event to an endpoint and say what it answers. Exit code 1 when it does not take it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--actor", help="who; default: the name that you logged in with")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        try:
            note = endpoints.ping(options["actor"] or shell_actor(), name)
        except UnknownSubscribers as refusal:
            raise CommandError(refusal.told) from refusal
        if note.outcome != "delivered":
            raise CommandError(f"{name} did not take it: {note.error}.")
        self.stdout.write(f"{name} answered {note.response_status} in {note.duration_seconds:.2f} s.")
