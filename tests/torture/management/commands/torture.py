"""`manage.py torture`: kill what can be killed under load, then prove that nothing is wrong."""

import os
import shutil
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.services import DATA_DIR
from tests.torture import orphans
from tests.torture.run import Result, Run, end_on_signal
from tests.torture.schedule import NEMESES, PROFILES, WORKLOADS, Schedule, kinds_of, make

INTERRUPTED = 130


class Command(BaseCommand):
    help = (
        "Run a workload against servers of its own while a nemesis breaks things, and check every promise afterwards. "
        "The seed makes the schedule. Exit code 0 when nothing is lost, doubled, swapped or different, else 1."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--minutes", type=float, default=1.0)
        parser.add_argument("--workload", default="mixed", choices=sorted(WORKLOADS))
        parser.add_argument(
            "--nemesis",
            default="all",
            metavar="N[:TIMES][,N...]",
            help=f"of {', '.join((*PROFILES, *NEMESES))}",
        )
        parser.add_argument("--mutant", default="", help="take a safeguard out of the product first")
        parser.add_argument("--keep", action="store_true", help="keep histories and logs of a sound run too")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            kinds = kinds_of(options["nemesis"])
        except KeyError as unknown:
            raise CommandError(f"There is no nemesis {unknown}.") from None
        for name, number in orphans.end(DATA_DIR).items():
            self._say(f"Ended {number} processes of {name}, which was killed, and removed its data.")
        schedule = make(options["seed"], options["minutes"] * 60, options["workload"], kinds)
        again = _command_line(options)
        self._say(f"{again}\n{sum(map(len, schedule.steps.values()))} steps, {len(schedule.faults)} faults")
        if not self._is_sound(schedule, options, again):
            sys.exit(1)

    def _is_sound(self, schedule: Schedule, options: dict[str, Any], again: str) -> bool:
        folder = DATA_DIR / f"torture-{schedule.seed}-{os.getpid()}"
        folder.mkdir(parents=True)
        end_on_signal()
        run, keeps = Run(folder, schedule, options["mutant"], self._say), True
        try:
            result = run.go()
            self._say(_report(result, again))
            keeps = options["keep"] or not (result.is_sound or options["mutant"])
        except (KeyboardInterrupt, SystemExit):
            keeps = options["keep"]
            raise CommandError("Interrupted.", returncode=INTERRUPTED) from None
        finally:
            run.remove()
            if not keeps:
                shutil.rmtree(folder, ignore_errors=True)
        if not result.is_sound:
            self._say(f"Again: {again}")
            self._say(f"Histories, logs and schedule: {folder if keeps else 'kept with --keep only'}")
        return result.is_sound

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def _report(result: Result, again: str) -> str:
    """Show what every check found, then a summary that fits into a note, the verdict last."""
    return "\n".join([*map(str, result.findings), "", *_summary(result, again)])


def _summary(result: Result, again: str) -> list[str]:
    fired, outcomes = result.fired, result.outcomes
    kinds = ", ".join(f"{kind} {number}" for kind, number in sorted(fired.items()))
    wrong = [finding.check for finding in result.findings if finding.wrong]
    commands = f"{outcomes.total():,} commands in {result.requests:,} requests"
    acknowledged = f"{outcomes['ok']:,} acknowledged, {outcomes['refused']:,} refused"
    unknown = f"{outcomes['unknown']:,} unknown at first"
    quiet = f"quiet after {result.quiet_seconds:.1f} s"
    return [
        again,
        f"{commands}: {acknowledged}, {unknown}; {result.events:,} events",
        f"{fired.total()} of {result.scheduled} faults: {kinds}" if result.scheduled else "no faults",
        f"{len(result.findings)} checks, wrong: {'; '.join(wrong) or 'none'}; {quiet}",
        "SOUND: nothing lost, doubled, swapped or different" if result.is_sound else "NOT SOUND",
    ]


def _command_line(options: dict[str, Any]) -> str:
    mutant = f" --mutant={options['mutant']}" if options["mutant"] else ""
    return (
        f"manage.py torture --seed={options['seed']} --minutes={options['minutes']:g}"
        f" --workload={options['workload']} --nemesis={options['nemesis']}{mutant}"
    )
