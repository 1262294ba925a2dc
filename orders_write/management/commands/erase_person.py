"""`manage.py erase_person`: forget who a customer is, and keep what they bought."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from orders_write.erasure import Traces, erase_person, traces_of
from orders_write.models import User
from outbox.actions import shell_actor


class Command(BaseCommand):
    help = (
        "Erase name, address and e-mail of a person: in the account, which is closed, in orders, events, stored "
        "answers and sessions, and with the next delivery in every read model. It cannot be undone. Orders stay, and "
        "the customer's number, which then names nobody. Repeating it finishes what was interrupted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user_id", type=int, metavar="USER_ID")
        parser.add_argument("--reason", required=True, help="why, for the record of operators' actions")
        parser.add_argument("--dry-run", action="store_true", help="only count what would be erased")

    def handle(self, *args: Any, user_id: int, reason: str, dry_run: bool, **options: Any) -> None:
        if not reason.strip():
            raise CommandError("Give a reason.")
        try:
            if dry_run:
                self.stdout.write(f"Would erase {_shown(traces_of(user_id))}.")
                return
            erased = erase_person(user_id, actor=shell_actor(), reason=reason, now=timezone.now())
        except User.DoesNotExist:
            raise CommandError(f"There is no user {user_id}.") from None
        self.stdout.write(f"Erased {_shown(erased)}. Read models follow with the next delivery.")


def _shown(traces: Traces) -> str:
    return (
        f"the account, {traces.orders} orders' names and addresses, what {traces.events} events, "
        f"{traces.answers} stored answers and {traces.sessions} sessions say of the person"
    )
