"""`manage.py verify_projection`: compare read models with a fresh fold of the log, and mend what differs."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from orders_read.rebuild.exceptions import RebuildAtWork
from orders_read.verify.comparing import MOST_SHOWN, Difference
from orders_read.verify.exceptions import VerifyError
from orders_read.verify.run import Verified, verify, verify_aggregates
from outbox.actions import shell_actor
from outbox.exceptions import OutboxError
from outbox.subscribers import Projection, projections

DIFFERENT, AT_WORK = 3, 4


class Command(BaseCommand):
    help = (
        "Compare every column of every row of read models with a fresh fold of the same events, while everything goes "
        "on. Exit code: 0 all are equal, 1 could not be compared, 3 some differ (also when they were repaired), "
        "4 another process is at it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="projections")
        parser.add_argument("--all", action="store_true", help="all of them")
        parser.add_argument(
            "--since", type=int, metavar="POSITION", help="only aggregates that changed after it"
        )
        parser.add_argument(
            "--sample", type=int, metavar="N", help="only about N aggregates, taken by chance"
        )
        parser.add_argument("--repair", action="store_true", help="give rows that differ their fresh values")
        parser.add_argument("--reason", default="", help="for the record of repairs")
        parser.add_argument("--actor", help="who; default: the name that you logged in with")
        parser.add_argument("--json", action="store_true", help="for machines")

    def handle(self, *args: Any, **options: Any) -> None:
        look = _look(options)
        differing = False
        for one in _chosen(options):
            began = time.monotonic()
            try:
                found = look(one)
            except RebuildAtWork as refusal:
                raise CommandError(str(refusal), returncode=AT_WORK) from refusal
            except (VerifyError, OutboxError) as refusal:
                raise CommandError(str(refusal)) from refusal
            self.stdout.write(
                json.dumps(_json(found)) if options["json"] else _text(found, time.monotonic() - began)
            )
            differing = differing or bool(found.differences)
        if differing:
            sys.exit(DIFFERENT)


def _look(options: dict[str, Any]) -> Callable[[Projection], Verified]:
    since, sample = options["since"], options["sample"]
    if since is None and sample is None:
        actor = options["actor"] or shell_actor()
        return lambda one: verify(one.name, repairs=options["repair"], actor=actor, reason=options["reason"])
    if (
        options["repair"]
        or None not in (since, sample)
        or min(n for n in (since, sample) if n is not None) < 0
    ):
        raise CommandError("Give either --since or --sample, a number from 0 on, and no --repair with it.")
    return lambda one: verify_aggregates(one, since=since, sample=sample)


def _chosen(options: dict[str, Any]) -> Sequence[Projection]:
    known = {one.name: one for one in projections()}
    names = options["names"]
    if bool(names) == options["all"]:
        raise CommandError("Name projections, or give --all.")
    if unknown := sorted(set(names) - known.keys()):
        raise CommandError(
            f"There is no projection {', '.join(unknown)}; there are {', '.join(sorted(known))}."
        )
    chosen = [known[name] for name in dict.fromkeys(names)] or list(known.values())
    if options["all"] and (options["since"] is not None or options["sample"] is not None):
        return [one for one in chosen if any(table.aggregate_type for table in one.tables)]
    return chosen


def _json(found: Verified) -> dict[str, Any]:
    return {
        "projection": found.projection,
        "rows_compared": found.rows_compared,
        "rows_different": len(found.differences),
        "rows_repaired": found.repaired,
        "first": [
            {"table": one.table, "key": one.key, "columns": one.columns}
            for one in found.differences[:MOST_SHOWN]
        ],
    }


def _text(found: Verified, seconds: float) -> str:
    compared = f"{found.projection}: {found.rows_compared:,} rows compared in {seconds:.1f} s"
    if not found.differences:
        return f"{compared}, all equal."
    mended = f", {found.repaired:,} repaired" if found.repaired else ""
    shown = [_row(one) for one in found.differences[:MOST_SHOWN]]
    more = len(found.differences) - len(shown)
    return "\n".join(
        [
            f"{compared}, {len(found.differences):,} differ{mended}:",
            *shown,
            *([f"  … and {more:,} more"] if more else []),
        ]
    )


def _row(one: Difference) -> str:
    key = ", ".join(map(str, one.key))
    if one.live is None:
        return f"  {one.table} {key}: is missing"
    if one.fresh is None:
        return f"  {one.table} {key}: should not be there"
    values = "; ".join(
        f"{name} is {_short(was)}, should be {_short(should)}" for name, (was, should) in one.columns.items()
    )
    return f"  {one.table} {key}: {values}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}..."
