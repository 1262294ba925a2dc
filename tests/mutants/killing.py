"""Have the killing tests of mutants run, and torture, and say of each mutant what became of it."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.table import Mutant

ROOT = Path(__file__).resolve().parents[2]
LIMIT_SECONDS = 60
OF_THE_TESTS = ("DJANGO_SETTINGS_MODULE", "TEST_SLOT", "PYTEST_XDIST_WORKER", "DATABASE_URL", "REDIS_URL")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mutant; no `seconds` when nothing was run that could have killed it."""

    mutant: Mutant
    is_dead: bool = False
    seconds: float | None = None

    @property
    def verdict(self) -> str:
        """Say it in a word."""
        if self.seconds is None:
            return "NO TEST"
        if self.is_dead and self.seconds > LIMIT_SECONDS:
            return "TOO SLOW"
        return "dead" if self.is_dead else "ALIVE"


def by_tests(mutants: Sequence[Mutant], environment: dict[str, str]) -> list[Outcome]:
    """Run the killing tests of these mutants, in one run of pytest that shows its progress."""
    files = sorted({f"tests/{one.killed_by.partition('::')[0]}" for one in mutants})
    there = [name for name in files if (ROOT / name).exists()]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ends.json"
        chosen = [f"--mutants={','.join(one.row for one in mutants)}", f"--mutants-ends={path}"]
        command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "tests.mutants.selection"]
        subprocess.run([*command, *chosen, *there], check=False, cwd=ROOT, env=environment)
        ends = json.loads(path.read_text()) if path.exists() else {}
    return [_of_tests(one, ends.get(one.row, [])) for one in mutants]


def by_torture(mutant: Mutant) -> Outcome:
    """Torture a mutant with the seed that kills it; it must die of what the table says, in time."""
    run = mutant.torture()
    environment = {name: value for name, value in os.environ.items() if name not in OF_THE_TESTS}
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "manage.py", *run.arguments()],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        said, _ = process.communicate(timeout=2 * LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.terminate()  # it stops what it has started
        said, _ = process.communicate()
    outcome = Outcome(mutant, process.returncode == 1 and run.is_dead(said), time.monotonic() - began)
    sys.stdout.write(f"{outcome.verdict}: {mutant.name}\n" if outcome.is_dead else f"{said}\n")
    return outcome


def _of_tests(mutant: Mutant, ends: Sequence[tuple[bool, float]]) -> Outcome:
    if not ends:
        return Outcome(mutant)
    return Outcome(mutant, all(passed for passed, _ in ends), sum(seconds for _, seconds in ends))
