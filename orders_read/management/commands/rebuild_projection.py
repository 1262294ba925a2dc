"""`manage.py rebuild_projection`: build read models anew from the log, beside the live ones, and swap them in."""

import json
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from orders_read.rebuild.estimate import Estimate, estimate
from orders_read.rebuild.exceptions import RebuildAtWork, RebuildCancelled, RebuildError
from orders_read.rebuild.record import Rebuild
from orders_read.rebuild.run import Rebuilt, Wishes, cancel, rebuild
from outbox.actions import shell_actor
from outbox.exceptions import OutboxError
from outbox.subscribers import Projection, projections

AT_WORK, CANCELLED = 4, 5


class Command(BaseCommand):
    help = (
        "Rebuild read models from the log while everything goes on: readers see the old one until the new one is "
        "whole. An interrupted rebuild stands where it was. Exit code: 0 done, 1 failed (the live one is untouched), "
        "2 refused, 4 another process is at it, 5 cancelled."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="projections")
        parser.add_argument("--all", action="store_true", help="all of them")
        parser.add_argument("--dry-run", action="store_true", help="say how long it would take, and end")
        parser.add_argument(
            "--batch", type=int, default=10_000, metavar="N", help="events a step (%(default)s)"
        )
        parser.add_argument(
            "--parallel", type=int, default=1, metavar="N", help="read models at a time (%(default)s)"
        )
        parser.add_argument(
            "--no-swap", action="store_true", help="build it and leave the live one in its place"
        )
        parser.add_argument("--resume", action="store_true", help="go on where a rebuild was interrupted")
        parser.add_argument("--cancel", action="store_true", help="end a rebuild and drop what it has built")
        parser.add_argument(
            "--accept-parked", action="store_true", help="swap although some aggregates are parked"
        )
        parser.add_argument(
            "--keep",
            type=int,
            default=24,
            metavar="HOURS",
            help="keep the old one for a roll-back (%(default)s)",
        )
        parser.add_argument("--reason", default="", help="for the record")
        parser.add_argument("--actor", help="who; default: the name that you logged in with")
        parser.add_argument("--json", action="store_true", help="for machines")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = _chosen(options["names"], everything=options["all"])
        if min(options["batch"], options["parallel"]) < 1 or options["keep"] < 0:
            raise CommandError("--batch and --parallel are at least 1, --keep at least 0.")
        if options["cancel"]:
            self._cancel(chosen, options["actor"] or shell_actor())
        elif options["dry_run"]:
            self._estimate([estimate(one) for one in chosen], as_json=options["json"])
        else:
            self._rebuild(chosen, options)

    def _cancel(self, chosen: Sequence[Projection], actor: str) -> None:
        for one in chosen:
            said = "is being cancelled" if cancel(one.name, actor) else "is not being rebuilt"
            self.stdout.write(f"{one.name} {said}.")

    def _estimate(self, found: Sequence[Estimate], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps([asdict(one) for one in found], indent=2))
            return
        for one in found:
            self.stdout.write(
                f"{one.projection}: {one.events:,} events at about {one.events_per_second:,.0f} a second: "
                f"{one.seconds:,.0f} s, and about {one.bytes / 1e6:,.0f} MB beside the live one."
            )

    def _rebuild(self, chosen: Sequence[Projection], options: dict[str, Any]) -> None:
        wishes = Wishes(
            actor=options["actor"] or shell_actor(),
            reason=options["reason"],
            batch_size=options["batch"],
            keep_hours=options["keep"],
            swaps=not options["no_swap"],
            resumes=options["resume"],
            accepts_parked=options["accept_parked"],
        )
        shown = Console(file=sys.stderr, quiet=options["json"])
        with _bars(shown) as bars, ThreadPoolExecutor(options["parallel"]) as pool:
            jobs = [pool.submit(rebuild, one, wishes, _watch(bars, one.name)) for one in chosen]
            outcomes = {
                one.name: _outcome(job.exception() or job.result())
                for one, job in zip(chosen, jobs, strict=True)
            }
        for name, (_, text, details) in outcomes.items():
            self.stdout.write(
                json.dumps({"projection": name, **details}) if options["json"] else f"{name}: {text}"
            )
        if code := max(code for code, _, _ in outcomes.values()):
            sys.exit(code)


def _chosen(names: Sequence[str], *, everything: bool) -> list[Projection]:
    known = {one.name: one for one in projections()}
    if bool(names) == everything:
        raise CommandError("Name projections, or give --all.")
    if unknown := sorted(set(names) - known.keys()):
        raise CommandError(
            f"There is no projection {', '.join(unknown)}; there are {', '.join(sorted(known))}."
        )
    return [known[name] for name in dict.fromkeys(names)] or list(known.values())


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<18} {task.fields[phase]:<12}"),
        BarColumn(),
        TextColumn("{task.completed:>11,.0f} of {task.total:,.0f} events {task.fields[rate]:>9,.0f}/s"),
        TimeRemainingColumn(),
        console=console,
    )


def _watch(bars: Progress, name: str) -> Callable[[Rebuild], None]:
    task: TaskID = bars.add_task(name, total=1, phase="waiting", rate=0)

    def show(rebuild: Rebuild) -> None:
        rate = bars.tasks[task].speed or 0
        bars.update(
            task,
            completed=rebuild.events_done,
            total=max(rebuild.events_total, 1),
            phase=rebuild.phase,
            rate=rate,
        )

    return show


def _outcome(outcome: Rebuilt | BaseException) -> tuple[int, str, dict[str, Any]]:
    """Give exit code, a sentence and the details of one rebuild."""
    match outcome:
        case Rebuilt(rebuild, None, _):
            return 0, f"generation {rebuild.generation} is ready; --resume swaps it in.", _details(rebuild)
        case Rebuilt(rebuild, float(seconds), mended):
            text = (
                f"generation {rebuild.generation} is live; its views changed within {seconds * 1000:.1f} ms."
            )
            told = {"swap_seconds": seconds, "rows_mended": mended}
            return (
                0,
                text + (f" {mended:,} rows were wrong before." if mended else ""),
                _details(rebuild) | told,
            )
        case RebuildAtWork():
            return AT_WORK, str(outcome), {"error": str(outcome)}
        case RebuildCancelled():
            return CANCELLED, str(outcome), {"error": str(outcome)}
        case RebuildError() | OutboxError():
            return 1, str(outcome), {"error": str(outcome)}
        case BaseException():
            raise outcome
    raise AssertionError(outcome)


def _details(rebuild: Rebuild) -> dict[str, Any]:
    return {"generation": rebuild.generation, "phase": rebuild.phase, "events": rebuild.events_done}
