#!/usr/bin/env python
"""Run a management command; `manage.py help` lists them."""

import os
import sys

from django.core.management import execute_from_command_line
from django.db import OperationalError


def main() -> None:
    """Run the command line, and say what to do when no database was named and none runs."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        execute_from_command_line(sys.argv)
    except OperationalError:
        from django.conf import settings  # noqa: PLC0415 – readable only after the command has chosen its settings

        if settings.DATABASE_IS_KNOWN:
            raise
        sys.exit("There is no database: start one with `make run`, or set DATABASE_URL and REDIS_URL.")


if __name__ == "__main__":
    main()
