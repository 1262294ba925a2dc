"""Run every check that CI runs and end with one summary: `python -m tests.run [--lint]`."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from config import services
from config.server_process import ServiceError

DATA_DIR = services.DATA_DIR / "test"
BIN = Path(sys.executable).parent

LINT = {
    "ruff check": [BIN / "ruff", "check", "--quiet"],
    "ruff format": [BIN / "ruff", "format", "--check", "--quiet"],
    "mypy": [BIN / "mypy", "--no-error-summary"],
    "import contracts": [BIN / "lint-imports"],
}
MIGRATIONS = {"migrations": [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"]}
TESTS = {"pytest": [sys.executable, "-m", "pytest", "-q", "-n", "2"]}


@dataclass(frozen=True)
class Outcome:
    """What one check came to."""

    name: str
    passed: bool
    seconds: float
    last_line: str


def main() -> int:
    """Run the checks; the servers of the tests are stopped at the end when it was we who started them."""
    if "--lint" in sys.argv:
        return _summary([_run(name, command) for name, command in LINT.items()])
    started = False
    try:
        started = services.start(DATA_DIR, fast=True)
        return _summary([_run(name, command) for name, command in (LINT | MIGRATIONS | TESTS).items()])
    except ServiceError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        if started:
            services.stop(DATA_DIR)


def _run(name: str, command: list[str | Path]) -> Outcome:
    """Show a check's output when it failed, and the tests' output always, as it comes."""
    began = time.monotonic()
    live = name in TESTS
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=_environment()
    )
    lines = []
    assert process.stdout
    for line in process.stdout:
        lines.append(line)
        if live:
            sys.stdout.write(line)
            sys.stdout.flush()
    passed = process.wait() == 0
    if not passed and not live:
        sys.stdout.write(f"{name}:\n{''.join(lines)}\n")
    return Outcome(name, passed, time.monotonic() - began, lines[-1].strip() if lines else "")


def _environment() -> dict[str, str]:
    found = services.urls(DATA_DIR)
    if not found:
        return dict(os.environ)
    return os.environ | {"DATABASE_URL": found.database, "REDIS_URL": found.redis}


def _summary(outcomes: list[Outcome]) -> int:
    sys.stdout.write("\n")
    for outcome in outcomes:
        note = f"  {outcome.last_line.strip('= ')}" if outcome.name in TESTS else ""
        verdict = "ok    " if outcome.passed else "FAILED"
        sys.stdout.write(f"{verdict} {outcome.name:<17}{outcome.seconds:6.1f} s{note}\n")
    return 0 if all(outcome.passed for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
