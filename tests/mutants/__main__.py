"""`make mutants`: seed every bug of the table, and show which test or torture it dies of: `python -m tests.mutants`."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from config import services
from tests.mutants.killing import Outcome, by_tests, by_torture
from tests.mutants.table import TABLE, TORTURE, Mutant
from tests.run import DATA_DIR

WIDTH = 220  # where nobody looks at a terminal


def main() -> int:
    """Kill; exit code 1 when a mutant lives, dies too slowly, or has no test."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="WORD", help="only mutants whose name holds one of these")
    words = parser.parse_args().words
    chosen = [one for one in TABLE if not words or any(word in one.name for word in words)]
    if not chosen:
        parser.error(f"no mutant's name holds {' or '.join(words)}")
    began = time.monotonic()
    outcomes = _killed(chosen)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    console.print(shown(outcomes))
    alive = [one for one in outcomes if one.verdict != "dead"]
    console.print(
        f"{len(outcomes) - len(alive)} of {len(outcomes)} are dead, in {time.monotonic() - began:.0f} s."
    )
    return 1 if alive else 0


def shown(outcomes: Sequence[Outcome]) -> Table:
    """Draw what became of the mutants."""
    table = Table("", "seconds", "mutant", "breaks", "how", "killed by", box=SIMPLE_HEAD)
    table.columns[1].justify = "right"
    for column in (2, 4, 5):
        table.columns[column].overflow = "fold"
    for one in outcomes:
        seconds = "" if one.seconds is None else f"{one.seconds:.1f}"
        style = None if one.verdict == "dead" else "bold red"
        by = one.mutant.killed_by
        if by == TORTURE:
            by = f"torture, seed {one.mutant.torture().seed}: {' or '.join(one.mutant.torture().dies_of)}"
        table.add_row(
            one.verdict, seconds, one.mutant.name, one.mutant.guarantee, one.mutant.bug, by, style=style
        )
    return table


def _killed(mutants: Sequence[Mutant]) -> list[Outcome]:
    """Run the tests beside the tortures, which run one after the other."""
    tortured = [one for one in mutants if one.killed_by == TORTURE]
    tested = [one for one in mutants if one.killed_by != TORTURE]
    with ThreadPoolExecutor(1) as pool:
        tortures = [pool.submit(by_torture, one) for one in tortured]
        outcomes = _tested(tested) if tested else []
        return [*outcomes, *(one.result() for one in tortures)]


def _tested(mutants: Sequence[Mutant]) -> list[Outcome]:
    started = services.start(DATA_DIR, fast=True)
    try:
        found = services.urls(DATA_DIR)
        assert found, "the servers of the tests run"
        return by_tests(mutants, os.environ | {"DATABASE_URL": found.database, "REDIS_URL": found.redis})
    finally:
        if started:
            services.stop(DATA_DIR)


if __name__ == "__main__":
    sys.exit(main())
