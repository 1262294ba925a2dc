"""Run a drill, minutes each: `python -m tests.drills NAME [--minutes M]`; the exit code is the verdict."""

import argparse
import importlib
import sys

# A drill's function, in its module here, and how many minutes its full form takes.
DRILLS = {
    "rebuild": ("rebuilds:rebuild", 3.0),
    "rollback": ("rebuilds:rollback", 2.0),
    "drift": ("drift:drift", 2.0),
    "tokens": ("tokens:tokens", 3.4),
    "stores": ("stores:stores", 1.0),
}


def main() -> int:
    """Run one; its last line holds the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills", description=__doc__)
    parser.add_argument("name", choices=DRILLS)
    parser.add_argument("--minutes", type=float, help="how long commands go on; the full form by default")
    options = parser.parse_args()
    place, minutes = DRILLS[options.name]
    module, _, name = place.partition(":")
    drill = getattr(importlib.import_module(f"tests.drills.{module}"), name)
    seconds = 60 * (minutes if options.minutes is None else options.minutes)
    code: int = drill(seconds)
    return code


if __name__ == "__main__":
    sys.exit(main())
