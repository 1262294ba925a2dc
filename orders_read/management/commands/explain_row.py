"""`manage.py explain_row`: show which events made a row of a read model, and what each changed."""

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from orders_read.explaining import ExplainError, Explanation, Step, explain
from outbox.exceptions import LogIsPruned

DIFFERS = 3
LONGEST_VALUE = 70


class Command(BaseCommand):
    help = (
        "Replay what made one row of a read model, event by event, and show what each changed. Where a row tells of "
        "one aggregate, its events are read; elsewhere the log is folded, three times with --last 1, and more often "
        "for a row that many events have touched. Leaves nothing behind. Exit code: 0 the live row is what its events "
        "make of it, 1 refused, 3 it is not."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="a table of a read model, such as order_details")
        parser.add_argument("key", nargs="+", metavar="KEY", help="the values of its primary key")
        parser.add_argument("--last", type=_count, metavar="N", help="only the newest so many events")
        parser.add_argument("--json", action="store_true", help="for machines")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = explain(options["name"], options["key"], options["last"])
        except (ExplainError, LogIsPruned) as refusal:
            raise CommandError(str(refusal)) from refusal
        if not (found.steps or found.live or found.replayed):
            raise CommandError("No event has made such a row.")
        self.stdout.write(_json(found) if options["json"] else "\n".join(_page(found)))
        if found.differences:
            sys.exit(DIFFERS)


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError(text)
    return count


def _json(found: Explanation) -> str:
    report = {
        "steps": [
            asdict(step) | {"position": str(step.position), "occurred_at": step.occurred_at.isoformat()}
            for step in found.steps
        ],
        "replayed": found.replayed,
        "live": found.live,
        "differences": found.differences,
    }
    return json.dumps(report, indent=2, ensure_ascii=False)


def _page(found: Explanation) -> list[str]:
    lines = [line for step in found.steps for line in _lines(step)]
    if not found.differences:
        return [*lines, "The live row is what these events make of it."]
    return [
        *lines,
        "The live row DIFFERS from what its events make of it (`verify_projection … --repair` mends it):",
        *(
            f"    {name}: is {_short(live)}, should be {_short(replayed)}"
            for name, (replayed, live) in found.differences.items()
        ),
    ]


def _lines(step: Step) -> list[str]:
    by = f" by {step.actor}" if step.actor else ""
    when = f"{step.occurred_at:%Y-%m-%d %H:%M:%S}Z"
    head = f"{step.position} {step.event_type} ({step.aggregate}) at {when}{by}"
    changed = [
        f"    {name}: {_short(before)} → {_short(after)}" for name, (before, after) in step.changes.items()
    ]
    return [head, *(changed or ["    (nothing but its row_version)"])]


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
