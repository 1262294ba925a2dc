"""`manage.py run_publishers`: bring events to the subscribers outside the database."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from outbox.publishers.loop import PublisherLoop
from outbox.stopping import STOPPING


class Command(BaseCommand):
    help = (
        "Bring events to the subscribers outside the database, webhooks among them; needs no Redis. "
        "Several processes may run: each partition is served by one at a time. SIGTERM ends it softly."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="bring what waits now, then end")
        parser.add_argument(
            "--interval", type=float, default=0.05, metavar="SECONDS", help="default: %(default)s"
        )

    def handle(self, *args: Any, once: bool, interval: float, **options: Any) -> None:
        loop = PublisherLoop(STOPPING.event)
        with STOPPING:
            STOPPING.listen()
            if once:
                taken = loop.run_once()
                loop.close()
                self.stdout.write(f"{taken} events taken.")
            else:
                loop.run(interval)
