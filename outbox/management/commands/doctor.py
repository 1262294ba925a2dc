"""`manage.py doctor`: what is in the way of delivery, and how to mend it."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from outbox.advice import counted
from outbox.doctor.examination import examine
from outbox.doctor.findings import Finding, Severity


class Command(BaseCommand):
    help = (
        "Find out who or what is in the way of delivery: settings, locks, old transactions, PostgreSQL, Redis, "
        "subscribers, migrations, bloat, workers. Exit code 0: nothing to mend; 1: warnings; 2: errors."
    )

    requires_system_checks = ()  # it tells what they find, and goes on

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="for machines")

    def handle(self, *args: Any, **options: Any) -> None:
        found = examine()
        worst = max((finding.severity for finding in found), default=Severity.INFO)
        self.stdout.write(_json(found, worst) if options["json"] else _page(found, worst))
        if worst:
            sys.exit(int(worst))


def _json(found: list[Finding], worst: Severity) -> str:
    findings = [
        {
            "id": finding.id,
            "severity": finding.severity.name.lower(),
            "what": finding.what,
            "mend": finding.mend,
        }
        for finding in found
    ]
    return json.dumps({"severity": worst.name.lower(), "findings": findings}, indent=2)


def _page(found: list[Finding], worst: Severity) -> str:
    lines = [line for finding in found for line in _lines(finding)]
    bad = sum(finding.severity is not Severity.INFO for finding in found)
    summary = f"{counted(bad, 'finding')} to mend, the worst first." if worst else "Nothing to mend."
    return "\n".join([*lines, "", summary])


def _lines(finding: Finding) -> list[str]:
    """Give one line for what is only told, two for what is to be mended."""
    line = f"{finding.severity.name:<8} {finding.id}  {' '.join(finding.what.split())}"
    return [line] if finding.severity is Severity.INFO else [line, f"         mend: {finding.mend}"]
