"""`manage.py rollback_projection`: show the generation again that was live before the last swap."""

from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser

from orders_read.rebuild.alone import alone
from orders_read.rebuild.exceptions import RebuildAtWork, RebuildError
from orders_read.rebuild.swapping import kept_generation, swap
from outbox import actions
from outbox.changes import MOVE as ANNOUNCE
from outbox.connection import connect

AT_WORK = 4


class Command(BaseCommand):
    help = (
        "Go back to the generation of a read model that was live before: it has been fed all the time, takes in what "
        "it lacks, and is swapped in. The other one is kept, so that the way forward is the same command. "
        "Exit code: 0 done, 1 refused, 4 another process is at it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="a projection")
        parser.add_argument(
            "--keep", type=int, default=24, metavar="HOURS", help="keep the other one (%(default)s)"
        )
        parser.add_argument(
            "--accept-parked", action="store_true", help="although some aggregates are parked there"
        )
        parser.add_argument("--reason", default="", help="for the record")
        parser.add_argument("--actor", help="who; default: the name that you logged in with")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        try:
            with connect("roll back") as connection, alone(connection, name):
                generation, seconds = _roll_back(connection, name, options)
        except RebuildAtWork as refusal:
            raise CommandError(str(refusal), returncode=AT_WORK) from refusal
        except RebuildError as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(
            f"{name}: generation {generation} is live; its views changed within {seconds * 1000:.1f} ms."
        )


def _roll_back(connection: psycopg.Connection[Any], name: str, options: dict[str, Any]) -> tuple[int, float]:
    generation = kept_generation(connection, name)
    seconds = swap(
        connection, name, generation, keep_hours=options["keep"], accept_parked=options["accept_parked"]
    )
    connection.execute(ANNOUNCE)
    actor = options["actor"] or actions.shell_actor()
    actions.record(connection, actor, "roll_back", name, options["reason"], generation=generation)
    return generation, seconds
