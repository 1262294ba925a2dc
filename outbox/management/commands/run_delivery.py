"""`manage.py run_delivery`: deliver without Redis."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from outbox.careful import CarefulEngine
from outbox.engine import Engine
from outbox.stopping import STOPPING
from outbox.worker_threads import at_work, of_delivery


class Command(BaseCommand):
    help = "Relay and fold what waits, looking at intervals; needs no Redis. SIGTERM ends it after the round."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="deliver what waits now, then end")
        parser.add_argument(
            "--interval", type=float, default=0.1, metavar="SECONDS", help="default: %(default)s"
        )

    def handle(self, *args: Any, once: bool, interval: float, **options: Any) -> None:
        if once:
            self.stdout.write(f"{_deliver_once()} events folded.")
            return
        with STOPPING:
            STOPPING.listen()
            with at_work(of_delivery("run_delivery", interval), STOPPING.event):
                STOPPING.event.wait()


def _deliver_once() -> int:
    together, careful = Engine("run_delivery"), CarefulEngine("run_delivery")
    folded = together.drain()
    while careful.drain():
        folded += together.drain()
    together.close()
    careful.close()
    return folded
