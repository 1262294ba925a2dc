"""`manage.py prune_events`: take out of the log what everybody has passed and what is old enough."""

from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser

from outbox import actions, partitions, retention
from outbox.connection import connect
from outbox.exceptions import LogIsRead, RetentionAtWork
from outbox.options import options
from outbox.partitions import Partition

HELD_BACK = 1
NOT_DONE = 2

KEPT = "The log is kept for ever: OUTBOX['KEEP_EVENTS_DAYS'] is not set."
WARNING = (
    "A pruned log cannot be replayed: rebuild and verify refuse until its partitions are attached again with "
    "attach_events. Dropped ones are gone for good."
)


class Command(BaseCommand):
    help = (
        "Detach whole partitions of the event log that every subscriber has passed and whose newest event is older "
        "than the limit: --before, --keep, or OUTBOX['KEEP_EVENTS_DAYS']. They stay as tables, unless --drop is given. "
        "Exit code 0: done, or nothing is old enough; 1: a subscriber holds some back; 2: the log was in use."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        limit = parser.add_mutually_exclusive_group()
        limit.add_argument("--before", type=_moment, metavar="DATE", help="what was recorded before it (UTC)")
        limit.add_argument("--keep", type=_days, metavar="DAYS", help="what is older than so many days")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
        parser.add_argument(
            "--drop", action="store_true", help="drop what is detached and older than the limit, too"
        )
        parser.add_argument(
            "--yes", action="store_true", help="with --drop: dropped events are gone for good"
        )
        parser.add_argument(
            "--wait",
            type=float,
            default=30.0,
            metavar="SECONDS",
            help="how long to wait for readers of the log; default: %(default)g",
        )

    def handle(self, *args: Any, **given: Any) -> None:
        if given["drop"] and not (given["yes"] or given["dry_run"]):
            raise CommandError("Say --yes to drop events for good, or --dry-run to see which.")
        before = _limit(given)
        self.stdout.write(WARNING if before else KEPT)
        connection = connect("prune_events")
        connection.execute("SET statement_timeout = 0")
        try:
            with retention.alone(connection):
                self._finish(connection, given)
                if before:
                    self._prune(connection, before, given)
        except (LogIsRead, RetentionAtWork) as error:
            raise CommandError(_told(error), returncode=NOT_DONE) from error
        finally:
            connection.close()

    def _finish(self, connection: psycopg.Connection[Any], given: dict[str, Any]) -> None:
        """Detach what an interrupted run left half detached, whatever the limit is now."""
        if given["dry_run"]:
            for partition in partitions.attached(psycopg.RawCursor(connection)):
                if partition.is_pending:
                    self.stdout.write(f"{_shown(partition)}: would be detached, as it is half already")
            return
        for partition in retention.finish(connection, given["wait"]):
            self._did(connection, partition, "detached")

    def _prune(self, connection: psycopg.Connection[Any], before: datetime, given: dict[str, Any]) -> None:
        is_real = not given["dry_run"]
        plan = retention.plan(connection, before)
        for partition in plan.partitions:
            if is_real:
                retention.detach(connection, partition, given["wait"])
                self._did(connection, partition, "detached")
            else:
                self.stdout.write(f"{_shown(partition)}: would be detached")
        if given["drop"]:
            self._drop(connection, before, plan.partitions, is_real=is_real)
        if plan.held:
            who = ", ".join(f"{one.reader} (needs what follows {one.position})" for one in plan.holders)
            raise CommandError(f"{_shown(plan.held)}: held back by {who}", returncode=HELD_BACK)
        if not plan.partitions:
            self.stdout.write(
                f"Nothing more was recorded before {before:%Y-%m-%d %H:%M} UTC, and is full and passed."
            )

    def _drop(
        self,
        connection: psycopg.Connection[Any],
        before: datetime,
        planned: tuple[Partition, ...],
        *,
        is_real: bool,
    ) -> None:
        detached = partitions.detached(psycopg.RawCursor(connection))
        known = [one for one in detached if one.beyond]
        for partition in known if is_real else [*known, *planned]:
            if retention.newest_event(connection, partition) >= before:
                continue
            if is_real:
                forgotten = retention.drop(connection, partition)
                self._did(connection, partition, "dropped", personal=forgotten)
            else:
                self.stdout.write(f"{_shown(partition)}: would be dropped")

    def _did(
        self, connection: psycopg.Connection[Any], partition: Partition, what: str, **details: Any
    ) -> None:
        """Say what was done and note who did it."""
        places = {"first": partition.first, "last": partition.last} | details
        actions.record(connection, actions.shell_actor(), f"events {what}", partition.name, "", **places)
        self.stdout.write(f"{_shown(partition)}: {what}")


def _limit(given: dict[str, Any]) -> datetime | None:
    """Return the moment before which events may go; None keeps all."""
    before: datetime | None = given["before"]
    days = options().keep_events_days if given["keep"] is None else given["keep"]
    if before is None and days is not None:
        before = datetime.now(UTC) - timedelta(days=days)
    return before


def _shown(partition: Partition) -> str:
    return f"{partition.name}: positions {partition.first} to {partition.last}"


def _told(error: LogIsRead | RetentionAtWork) -> str:
    partition = error.details.get("partition")
    return f"{partition}: {error}" if partition else str(error)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no date as 2026-03-01, or moment as 2026-03-01T12:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1
    if not 0 <= days <= 36_500:
        raise ArgumentTypeError(f"{text!r} is no number of days from 0 to 36500")
    return days
