"""`manage.py check_answers`: the read models against known answers."""

from pathlib import Path
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.table import Table

from orders_read.answers import files, refusals, summary, tables
from orders_read.answers.comparison import Comparison
from orders_read.answers.facts import Facts

TABLES = (
    tables.compare_orders,
    tables.compare_customers,
    tables.compare_products,
    tables.compare_days,
    tables.compare_country_days,
)
NOT_YET = ("pairs_top200",)
UNREADABLE = 2


class Command(BaseCommand):
    help = (
        "Compare the read models with a folder of known answers, exactly. "
        "Exit code: 0 all are equal, 1 some differ, 2 a file cannot be read."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="the folder of answers")
        parser.add_argument(
            "--source", default="online_retail", help="the source of the orders (online_retail)"
        )
        parser.add_argument(
            "--rejects", type=Path, metavar="REPORT", help="compare this report of refused commands as well"
        )

    def handle(self, *, folder: Path, source: str, rejects: Path | None, **_: Any) -> None:
        try:
            comparisons = compare(folder, source, rejects)
        except files.Unreadable as error:
            raise CommandError(str(error), returncode=UNREADABLE) from error
        Console(file=cast(IO[str], self.stdout)).print(shown(comparisons))
        if different := sum(comparison.different for comparison in comparisons):
            raise CommandError(f"{different} answers differ.", returncode=1)
        self.stdout.write(f"All {sum(comparison.compared for comparison in comparisons)} answers are equal.")


def compare(folder: Path, source: str, rejects: Path | None) -> list[Comparison]:
    """Compare every file of answers, and the report of refusals when there is one."""
    days = files.dates(folder, "daily")
    facts = Facts(source, min(days), max(days))
    comparisons = [compare_table(folder, facts) for compare_table in TABLES]
    sums = files.document(folder, "summary")
    comparisons += summary.compare_summary(sums, facts)
    comparisons += [Comparison(name, unanswered=["all"]) for name in NOT_YET]
    if rejects:
        comparisons.append(
            refusals.compare_refusals(files.records(rejects), sums.get("expected_command_counts", {}))
        )
    return comparisons


def shown(comparisons: list[Comparison]) -> Table:
    """Draw the outcome as a table."""
    table = Table("answers", "equal", "different", "", title="Read models and known answers")
    for number in (1, 2):
        table.columns[number].justify = "right"
    table.columns[3].overflow = "fold"
    for one in comparisons:
        notes = [
            *one.first_differences,
            *([f"not yet answered: {', '.join(one.unanswered)}"] if one.unanswered else []),
        ]
        style = "red" if one.different else "dim" if not one.compared else None
        table.add_row(
            one.name, f"{one.compared - one.different:,}", f"{one.different:,}", "\n".join(notes), style=style
        )
    return table
