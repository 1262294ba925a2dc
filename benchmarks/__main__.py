"""The command line: `python -m benchmarks [names] [--quick]`."""

import argparse
import fcntl
import os
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from .figures import Figure

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.settings")

MODULES = {
    "P1": "p1_commands",
    "P3": "p3_projection",
    "P4": "p4_rebuild",
    "P5": "p5_consistency",
    "P6": "p6_relay",
    "P9": "p9_bell",
    "P10": "p10_year",
    "D": "d_delivery",
}


def main() -> int:
    """Measure what was asked for, print the table and write it to benchmarks/results/."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure the figures of the README."
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"any of {', '.join(MODULES)}; all without one"
    )
    parser.add_argument("--quick", action="store_true", help="under a minute, too short to judge by")
    options = parser.parse_args()
    names = [name.upper() for name in options.names] or list(MODULES)
    if unknown := set(names) - MODULES.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(MODULES)}")
    return run(names, quick=options.quick)


def run(names: list[str], *, quick: bool) -> int:
    """Measure on a database of its own, which is dropped at the end; servers that did not run before are stopped."""
    import django  # noqa: PLC0415 – the settings start servers, which `--help` should not

    django.setup()
    from . import figures, settings  # noqa: PLC0415 – likewise

    busy_before_percent = psutil.cpu_percent(interval=1)
    began = time.monotonic()
    try:
        with (settings.DATA_DIR / "run.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            measured = list(_measured(names, quick=quick))
    except BlockingIOError:
        sys.stderr.write("Another run of the benchmarks goes on.\n")
        return 1
    finally:
        if settings.WERE_STARTED:
            settings.services.stop(settings.DATA_DIR)
    seconds = time.monotonic() - began
    path = figures.write(
        measured,
        quick=quick,
        whole=len(names) == len(MODULES),
        seconds=seconds,
        busy_before_percent=busy_before_percent,
    )
    sys.stdout.write(f"\n{figures.table(measured)}\n\n{seconds:.0f} s; written to {os.path.relpath(path)}\n")
    return 0


def _measured(names: list[str], *, quick: bool) -> Iterator["Figure"]:
    from . import database, figures  # noqa: PLC0415 – likewise

    database.prepare()
    try:
        for name in names:
            sys.stdout.write(f"{name} ...\n")
            sys.stdout.flush()
            for figure in import_module(f"benchmarks.{MODULES[name]}").measure(quick=quick):
                sys.stdout.write(f"{figures.table([figure]).splitlines()[-1]}\n")
                sys.stdout.flush()
                yield figure
    finally:
        database.drop()


if __name__ == "__main__":
    sys.exit(main())
