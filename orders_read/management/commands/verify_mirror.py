"""`manage.py verify_mirror`: compare what another store holds with the read model, and mend what differs."""

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from orders_read.mirrors.building import mirror_of
from orders_read.mirrors.comparing import Compared, Difference, verify
from orders_read.mirrors.exceptions import MirrorAtWork, MirrorError
from orders_read.stores.contract import StoreUnavailable
from outbox.actions import shell_actor

DIFFERENT, AT_WORK = 3, 4
MOST_SHOWN = 20
LONGEST = 120


class Command(BaseCommand):
    help = (
        "Compare every document of a mirror with the read model in PostgreSQL, while everything goes on. "
        "Exit code: 0 all are equal, 1 could not be compared, 3 some differ (also when they were repaired), "
        "4 another process is at it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="a read model")
        parser.add_argument("--repair", action="store_true", help="write what should be there")
        parser.add_argument("--reason", default="", help="for the record of repairs")
        parser.add_argument("--actor", help="who; default: the name that you logged in with")
        parser.add_argument("--json", action="store_true", help="for machines")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        actor = options["actor"] or shell_actor()
        try:
            found = verify(mirror_of(name), repairs=options["repair"], actor=actor, reason=options["reason"])
        except MirrorAtWork as refusal:
            raise CommandError(str(refusal), returncode=AT_WORK) from refusal
        except (MirrorError, StoreUnavailable) as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(json.dumps(_json(found)) if options["json"] else _text(found))
        if found.differences:
            sys.exit(DIFFERENT)


def _json(found: Compared) -> dict[str, Any]:
    return {
        "mirror": found.mirror,
        "documents_compared": found.documents,
        "documents_different": len(found.differences),
        "documents_repaired": found.repaired,
        "first": [asdict(one) for one in found.differences[:MOST_SHOWN]],
    }


def _text(found: Compared) -> str:
    compared = f"{found.mirror}: {found.documents:,} documents compared"
    if not found.differences:
        return f"{compared}, all equal."
    mended = f", {found.repaired:,} repaired" if found.repaired else ""
    shown = [_difference(one) for one in found.differences[:MOST_SHOWN]]
    return "\n".join([f"{compared}, {len(found.differences):,} differ{mended}:", *shown])


def _difference(one: Difference) -> str:
    if one.should is None:
        return f"  {one.key}: should not be there"
    if one.held is None or one.held.text is None:
        return f"  {one.key}: is missing"
    held, should = one.held, one.should
    return (
        f"  {one.key}: version {held.version} is {_short(held.text or '')}, "
        f"should be {should.version}, {_short(should.text or '')}"
    )


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
