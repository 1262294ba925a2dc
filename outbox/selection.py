"""Let a command of manage.py say which dead letters it means."""

import argparse
from typing import Any

from django.core.management.base import CommandError, CommandParser

from .retry import OpenLetter, Selection, open_letters

NARROWING = ("ids", "subscriber", "event_type", "fingerprint", "aggregate")


def add_selection(parser: CommandParser) -> None:
    """Add the arguments that narrow a selection down."""
    parser.add_argument("ids", nargs="*", type=int, metavar="ID", help="of dead letters, as listed")
    parser.add_argument("--subscriber", metavar="NAME", help="only this projection's or publisher's")
    parser.add_argument("--event-type", metavar="TYPE", help="only events of this type")
    parser.add_argument(
        "--fingerprint", metavar="TEXT", help="only this error, as `list_dead_letters` prints it"
    )
    parser.add_argument(
        "--aggregate", type=_aggregate, metavar="TYPE:ID", help="only this aggregate's, as in order:17"
    )


def selected(options: dict[str, Any], *, all_by_default: bool) -> list[OpenLetter]:
    """List the dead letters that a command line means; raises CommandError when an id is not of an open one."""
    if not all_by_default and any(map(options.get, NARROWING)) == options["all"]:
        raise CommandError("Say which dead letters are meant, or give --all.")
    aggregate_type, aggregate_id = options["aggregate"] or (None, None)
    letters = open_letters(
        Selection(
            ids=options["ids"],
            subscriber=options["subscriber"],
            event_type=options["event_type"],
            fingerprint=options["fingerprint"],
            aggregate_type=aggregate_type,
            aggregate_id=aggregate_id,
        )
    )
    if missing := set(options["ids"]) - {letter.dead_letter_id for letter in letters}:
        names = ", ".join(map(str, sorted(missing)))
        raise CommandError(
            f"Among what is meant there is no open dead letter {names}: see `list_dead_letters`."
        )
    return letters


def counted(letters: list[OpenLetter]) -> str:
    """Say how many dead letters are touched, and what waits behind them."""
    behind = sum(letter.waiting_events for letter in letters)
    subscribers = ", ".join(sorted({letter.subscriber for letter in letters}))
    return (
        f"{len(letters)} dead letters of {subscribers or 'nobody'}, with {behind} events waiting behind them"
    )


def _aggregate(text: str) -> tuple[str, int]:
    aggregate_type, _, aggregate_id = text.partition(":")
    if not aggregate_type or not aggregate_id.isdecimal():
        raise argparse.ArgumentTypeError("write it as in order:17")
    return aggregate_type, int(aggregate_id)
