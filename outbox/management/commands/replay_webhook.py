"""`manage.py replay_webhook`: send past events to an endpoint once more."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from outbox import history
from outbox.actions import shell_actor
from outbox.exceptions import UnknownSubscribers
from outbox.models import LoggedEvent
from outbox.publishers import endpoints
from outbox.publishers.models import WebhookDelivery


class Command(BaseCommand):
    help = (
        "Send past events to an endpoint once more: all from a position on, or that of one delivery. "
        "They have the ids that they had."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--from-position", type=int, metavar="POSITION")
        what.add_argument("--delivery", type=int, metavar="ID", help="at once, whatever else waits")
        parser.add_argument("--dry-run", action="store_true", help="only say how many events it is")
        parser.add_argument("--actor", help="who; default: the name that you logged in with")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        actor = options["actor"] or shell_actor()
        try:
            if options["delivery"] is not None:
                self._one(actor, name, options["delivery"], is_dry=options["dry_run"])
            else:
                self._all(actor, name, options["from_position"], is_dry=options["dry_run"])
        except UnknownSubscribers as refusal:
            raise CommandError(refusal.told) from refusal
        except ValueError as refusal:  # the log was pruned
            raise CommandError(str(refusal)) from refusal

    def _all(self, actor: str, name: str, position: int, *, is_dry: bool) -> None:
        head = history.head()
        if not 1 <= position <= head:
            raise CommandError(f"Give a position from 1 to {head}, where the log ends.")
        if is_dry:
            self.stdout.write(f"{endpoints.count_from(name, position)} events would be sent.")
        else:
            events = endpoints.replay_from(actor, name, position)
            self.stdout.write(f"{events} events are sent once more.")

    def _one(self, actor: str, name: str, delivery_id: int, *, is_dry: bool) -> None:
        delivery = WebhookDelivery.objects.filter(subscriber=name, delivery_id=delivery_id).first()
        if delivery is None:
            raise CommandError(f"{name} has no delivery {delivery_id}; the admin lists them.")
        if delivery.position and not LoggedEvent.objects.filter(position=delivery.position).exists():
            raise CommandError(f"The log has no position {delivery.position} any more.")
        if is_dry:
            self.stdout.write("1 event would be sent.")
            return
        note = endpoints.replay_delivery(actor, delivery)
        if note.outcome != "delivered":
            raise CommandError(f"{name} did not take it: {note.error}.")
        self.stdout.write(f"{name} answered {note.response_status}.")
