"""`manage.py disable_webhook`: give an endpoint nothing any more."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from outbox.actions import shell_actor
from outbox.exceptions import UnknownSubscribers
from outbox.publishers import endpoints


class Command(BaseCommand):
    help = (
        "Give an endpoint nothing any more, until `enable_webhook`. Unlike with `pause_delivery`, the log need not be "
        "kept for it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--reason", required=True, help="why; others will read it")
        parser.add_argument("--actor", help="who; default: the name that you logged in with")

    def handle(self, *args: Any, name: str, reason: str, **options: Any) -> None:
        if not reason.strip():
            raise CommandError("Give a reason.")
        try:
            endpoints.disable(options["actor"] or shell_actor(), name, reason.strip())
        except UnknownSubscribers as refusal:
            raise CommandError(refusal.told) from refusal
        self.stdout.write(f"{name} is disabled.")
