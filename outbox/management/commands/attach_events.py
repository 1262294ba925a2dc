"""`manage.py attach_events`: put partitions back that were taken out of the log."""

from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser

from outbox import actions, partitions, retention
from outbox.connection import connect
from outbox.exceptions import ForeignRows, LogIsRead
from outbox.partitions import Partition


class Command(BaseCommand):
    help = (
        "Attach detached partitions of the event log again, all of them unless some are named, so that it can be "
        "replayed. A table with other rows than the events of its positions is refused. Exit code 0: done; "
        "1: one was refused, or the log was in use."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="a table event_log_p…")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
        parser.add_argument(
            "--wait",
            type=float,
            default=30.0,
            metavar="SECONDS",
            help="how long to wait; default: %(default)g",
        )

    def handle(self, *args: Any, names: list[str], dry_run: bool, wait: float, **given: Any) -> None:
        connection = connect("attach_events")
        connection.execute("SET statement_timeout = 0")
        try:
            for partition in _wanted(connection, names):
                if not dry_run:
                    _attach(connection, partition, wait)
                what = "would be attached" if dry_run else "attached"
                self.stdout.write(
                    f"{partition.name}: positions {partition.first} to {partition.last}: {what}"
                )
            missing = retention.pruned_up_to(connection)
            self.stdout.write(
                f"Events up to position {missing} are missing." if missing else "The log is whole."
            )
        finally:
            connection.close()


def _wanted(connection: psycopg.Connection[Any], names: list[str]) -> list[Partition]:
    detached = {one.name: one for one in partitions.detached(psycopg.RawCursor(connection))}
    if unknown := sorted(set(names) - detached.keys()):
        raise CommandError(f"Not a detached partition of the log: {', '.join(unknown)}.")
    return [one for one in detached.values() if not names or one.name in names]


def _attach(connection: psycopg.Connection[Any], partition: Partition, wait_seconds: float) -> None:
    try:
        retention.attach(connection, partition, wait_seconds)
    except (ForeignRows, LogIsRead) as error:
        raise CommandError(f"{partition.name}: {error}") from error
    except psycopg.ProgrammingError as error:  # it overlaps the log, or has other columns
        raise CommandError(f"{partition.name}: {error.diag.message_primary}") from error
    actor, places = actions.shell_actor(), {"first": partition.first, "last": partition.last}
    actions.record(connection, actor, "events attached", partition.name, "", **places)
