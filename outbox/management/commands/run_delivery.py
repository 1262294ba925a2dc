"""`manage.py run_delivery`: deliver without Redis."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from outbox.chores import run_at_intervals
from outbox.engine import Engine
from outbox.polling import drain_safely, poll


class Command(BaseCommand):
    help = "Relay and fold what waits, looking at intervals; needs no Redis. SIGTERM ends it after the round."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="deliver what waits now, then end")
        parser.add_argument(
            "--interval", type=float, default=0.1, metavar="SECONDS", help="default: %(default)s"
        )

    def handle(self, *args: Any, once: bool, interval: float, **options: Any) -> None:
        engine = Engine("run_delivery")
        if once:
            self.stdout.write(f"{engine.drain()} events folded.")
            engine.close()
            return
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        drain_safely(engine, stopping.is_set)
        chores = threading.Thread(target=run_at_intervals, args=(stopping,), name="chores")
        chores.start()
        poll(engine, interval, stopping)
        chores.join()
