"""`manage.py delivery_status`: how far each subscriber is behind, for people and for monitoring."""

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from outbox.lag import Lag, Status, lags, worst

ROW = "{:<24} {:>3} {:<9} {:>12} {:>12} {:>10} {:>11}  {}"


class Command(BaseCommand):
    help = (
        "Show position, checkpoint and lag of every subscriber, messages not yet relayed included. "
        "Exit code 0: nothing waits; 1: some are behind; 2: one is stalled, failing or missing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="for machines")

    def handle(self, *args: Any, **options: Any) -> None:
        found = lags()
        self.stdout.write(_json(found) if options["json"] else _table(found))
        if code := min(worst(found), 2):
            sys.exit(code)


def _json(found: list[Lag]) -> str:
    subscribers = [asdict(lag) | {"status": lag.status.name.lower()} for lag in found]
    return json.dumps({"status": worst(found).name.lower(), "subscribers": subscribers}, indent=2)


def _table(found: list[Lag]) -> str:
    title = ROW.format("subscriber", "gen", "state", "checkpoint", "head", "events", "seconds", "status")
    return "\n".join([title, *(_row(lag) for lag in found)])


def _row(lag: Lag) -> str:
    status = lag.status.name.lower()
    if lag.status >= Status.FAILING:
        status += f" ({lag.attempts} attempts) {lag.error}" if lag.attempts else f" {lag.error}"
    return ROW.format(
        lag.subscriber,
        lag.generation,
        lag.state,
        lag.position,
        lag.head,
        lag.events_behind,
        f"{lag.seconds_behind:.1f}",
        status,
    )
