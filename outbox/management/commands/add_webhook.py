"""`manage.py add_webhook`: add an endpoint that gets signed webhooks."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from outbox.actions import shell_actor
from outbox.publishers import endpoints
from outbox.publishers.forms import known_event_types


class Command(BaseCommand):
    help = (
        "Add an endpoint and print the secret that its webhooks are signed with. It gets what happens from now on, "
        "or all that ever happened with --from-beginning."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="small letters, digits, - and _")
        parser.add_argument("url", metavar="URL", help="https://…")
        parser.add_argument("--description", default="")
        parser.add_argument(
            "--event-type", action="append", default=[], metavar="TYPE", help="may be repeated; default: all"
        )
        parser.add_argument(
            "--with-personal", action="store_true", help="send names and addresses of customers too"
        )
        parser.add_argument("--partitions", type=int, default=1, help="calls at a time; default: %(default)s")
        parser.add_argument("--from-beginning", action="store_true", help="send all that ever happened")
        parser.add_argument("--actor", help="who; default: the name that you logged in with")

    def handle(self, *args: Any, name: str, url: str, **options: Any) -> None:
        known = known_event_types()
        if unknown := [one for one in options["event_type"] if known and one not in known]:
            raise CommandError(
                f"No event is called {', '.join(unknown)}. There are: {', '.join(sorted(known))}."
            )
        if not 1 <= options["partitions"] <= endpoints.MOST_PARTITIONS:
            raise CommandError(f"Give 1 to {endpoints.MOST_PARTITIONS} partitions.")
        try:
            secret = endpoints.add(
                options["actor"] or shell_actor(),
                name,
                url,
                description=options["description"],
                event_types=options["event_type"],
                with_personal=options["with_personal"],
                partitions=options["partitions"],
                from_beginning=options["from_beginning"],
            )
        except ValueError as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stderr.write(f"{name} was added. Its secret:")
        self.stdout.write(secret)
