"""`manage.py list_dead_letters`: what could not be taken in, by whom and why."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from outbox.retry import LetterGroup, OpenLetter, grouped
from outbox.selection import add_selection, selected

ROW = "{:>6} {:<8} {:<18} {:>12} {:<20} {:<22} {:>3} {:>7}  {}"
GROUP = "{:>7} {:>7} {:<18} {:<20} {}"


class Command(BaseCommand):
    help = "List open dead letters: `waiting` is tried again by itself, `parked` waits for you."

    def add_arguments(self, parser: CommandParser) -> None:
        add_selection(parser)
        parser.add_argument("--group", action="store_true", help="by event type and error")
        parser.add_argument("--json", action="store_true", help="for machines")

    def handle(self, *args: Any, **options: Any) -> None:
        letters = selected(options, all_by_default=True)
        if options["json"]:
            found = grouped(letters) if options["group"] else letters
            self.stdout.write(json.dumps([asdict(one) for one in found], indent=2, default=str))
        elif not letters:
            self.stdout.write("There are no open dead letters.")
        else:
            self.stdout.write(_groups(grouped(letters)) if options["group"] else _rows(letters))


def _rows(letters: list[OpenLetter]) -> str:
    title = ROW.format(
        "id", "state", "subscriber", "position", "event", "aggregate", "try", "behind", "error"
    )
    return "\n".join([title, *map(_row, letters)])


def _row(letter: OpenLetter) -> str:
    return ROW.format(
        letter.dead_letter_id,
        letter.state,
        letter.subscriber,
        letter.position,
        letter.event_type,
        f"{letter.aggregate_type}:{letter.aggregate_id} v{letter.aggregate_version}",
        letter.attempts,
        letter.waiting_events,
        f"{letter.fingerprint}: {letter.error_message}",
    )


def _groups(groups: list[LetterGroup]) -> str:
    title = GROUP.format("letters", "behind", "subscriber", "event", "fingerprint: error")
    return "\n".join([title, *map(_group, groups)])


def _group(group: LetterGroup) -> str:
    behind = sum(letter.waiting_events for letter in group.letters)
    error = f"{group.fingerprint}: {group.letters[0].error_message}"
    return GROUP.format(len(group.letters), behind, group.subscriber, group.event_type, error)
