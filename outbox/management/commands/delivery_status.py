"""`manage.py delivery_status`: how far each subscriber is behind, for people and for monitoring."""

import json
import sys
import time
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, ProgrammingError, connection

from outbox.advice import counted, describe, next_step, notes, title
from outbox.exceptions import TablesAreLocked
from outbox.lag import Lag, Look, Status, look

ROW = "{:<32} {:<9} {:>10} {:>10} {:>8} {:>10} {:>8} {:>7}  {}"
HEAD = ROW.format(
    "subscriber", "state", "checkpoint", "events", "oldest", "SLA", "retried", "parked", "status"
)
CLEAR = "\x1b[H\x1b[2J"


class Command(BaseCommand):
    help = (
        "Show how far every subscriber is behind, messages not yet relayed included, what keeps it, and what to do. "
        "Exit code 0: all is well; 1: some are behind, paused or try events again; 2: one is stalled, failing or "
        "missing, events wait for a person, or the tables are locked; 3: no worker runs, or the database is away."
    )

    requires_system_checks = ()  # it must tell how things stand when the settings are wrong too

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="for machines")
        parser.add_argument(
            "--watch", type=_seconds, nargs="?", const=2.0, metavar="SECONDS",
            help="look again and again (every 2 seconds) until Ctrl-C; the exit code is the last look's",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        self._code = 0
        try:
            self._show(as_json=options["json"])
            while options["watch"] is not None:
                self.stdout.flush()
                time.sleep(options["watch"])
                self._show(as_json=options["json"], again=True)
        except KeyboardInterrupt:
            self.stdout.write("")
        if self._code:
            sys.exit(self._code)

    def _show(self, *, as_json: bool, again: bool = False) -> None:
        """Look, keep the exit code, and write; in this order, as Ctrl-C may come at any time."""
        try:
            found = look()
        except (DatabaseError, TablesAreLocked) as error:
            connection.close()
            self._show_failure(error, as_json=as_json)
            return
        self._code = found.status.exit_code
        if again and self.stdout.isatty():
            self.stdout.write(CLEAR, ending="")
        self.stdout.write(_json(found, None if again else 2) if as_json else _page(found))

    def _show_failure(self, error: Exception, *, as_json: bool) -> None:
        """Say why nothing can be said, in the same form."""
        status, self._code, step = _failure(error)
        text = str(error).strip().partition("\n")[0]
        if as_json:
            report = {"status": status, "exit_code": self._code, "error": text, "next": step}
            self.stdout.write(json.dumps(report))
        else:
            self.stdout.write(f"{status.replace('_', ' ')}: {text}\nNext: {step}")


def _failure(error: Exception) -> tuple[str, int, str]:
    """Give the status, the exit code and the next step of a look that failed."""
    match error:
        case TablesAreLocked():
            return "locked", 2, "`manage.py doctor` says who holds the lock."
        case ProgrammingError():
            return "not_migrated", 2, "`manage.py migrate`: the tables are not those that this code wants."
        case _:
            return "unreachable", 3, "start PostgreSQL, or name the right one in DATABASE_URL."


def _seconds(text: str) -> float:
    seconds = float(text)
    if seconds <= 0:
        raise ValueError(text)
    return seconds


def _json(found: Look, indent: int | None) -> str:
    report = {
        "status": found.status.name.lower(),
        "exit_code": found.status.exit_code,
        "log_head": str(found.head),
        "outbox_messages": found.messages,
        "workers": found.workers,
        "silent_seconds": found.silent_seconds,
        "next": next_step(found),
        "subscribers": [
            asdict(lag)
            | {
                "position": str(lag.position),
                "head": str(lag.head),
                "verified_position": None if lag.verified_position is None else str(lag.verified_position),
            }  # beyond 2^53 a number would not be exact
            | {"status": lag.status.name.lower(), "troubles": [one.name.lower() for one in lag.troubles]}
            for lag in found.subscribers
        ],
    }
    return json.dumps(report, indent=indent)


def _page(found: Look) -> str:
    rows = [line for lag in found.subscribers for line in _lines(lag)]
    return "\n".join([HEAD, *rows, "", _sum(found), f"Next: {next_step(found)}"])


def _lines(lag: Lag) -> list[str]:
    """Give a row of figures, and a line beneath for each trouble."""
    if lag.status is Status.MISSING:
        return [ROW.format(title(lag), lag.state, *"-" * 6, lag.status.text), f"    {lag.error}"]
    row = ROW.format(
        title(lag),
        lag.state,
        lag.position,
        lag.events_behind,
        f"{lag.seconds_behind:.1f} s",
        f"{lag.sla_seconds:g} s",
        lag.waiting or "-",
        lag.parked or "-",
        lag.status.text,
    )
    told = [one for one in lag.troubles if one is not Status.BEHIND or Status.STALLED not in lag.troubles]
    return [row, *(f"    {line}" for line in [*(describe(lag, trouble) for trouble in told), *notes(lag)])]


def _sum(found: Look) -> str:
    """Say in one line how all of it is."""
    beat = "" if found.silent_seconds is None else f", last sign of life {found.silent_seconds:.1f} s ago"
    workers = f"{counted(found.workers, 'worker')}{beat}" if found.workers else f"no worker runs{beat}"
    messages = counted(found.messages, "message")
    return f"{found.status.text}: log head {found.head}, {messages} in the outbox, {workers}."
