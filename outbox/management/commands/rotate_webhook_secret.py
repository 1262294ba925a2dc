"""`manage.py rotate_webhook_secret`: replace the secret of an endpoint."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from outbox.actions import shell_actor
from outbox.exceptions import UnknownSubscribers
from outbox.publishers import endpoints


class Command(BaseCommand):
    help = "Give an endpoint a new secret and print it; for a while its webhooks are signed with both."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument(
            "--keep-hours",
            type=float,
            default=endpoints.KEEP_SECRET_HOURS,
            metavar="HOURS",
            help="how long the old one is good too; default: %(default)s",
        )
        parser.add_argument("--actor", help="who; default: the name that you logged in with")

    def handle(self, *args: Any, name: str, keep_hours: float, **options: Any) -> None:
        try:
            secret = endpoints.rotate_secret(options["actor"] or shell_actor(), name, keep_hours)
        except UnknownSubscribers as refusal:
            raise CommandError(refusal.told) from refusal
        self.stderr.write(f"The old secret of {name} is good for {keep_hours:g} more hours. The new one:")
        self.stdout.write(secret)
