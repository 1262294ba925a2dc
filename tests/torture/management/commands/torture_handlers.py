"""`manage.py torture_handlers FOLDER`: the clients of a torture run that call the handlers; started by `torture`."""

import json
import signal
import threading
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tests.torture.handlers_client import HandlersClient, ask
from tests.torture.history import History, Request
from tests.torture.product import Cast
from tests.torture.schedule import clients, read_steps


class Command(BaseCommand):
    help = "Follow the steps of a schedule through the handlers, or ask again what --ask lists. Part of `torture`."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path)
        parser.add_argument("--begins-at", type=float, default=0.0)
        parser.add_argument("--ask", type=Path)

    def handle(self, *args: Any, folder: Path, begins_at: float, ask: Path | None, **options: Any) -> None:
        if ask is not None:
            _ask_again(folder, ask)
            return
        stopping = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stopping.set())
        history, cast = History(folder / "history-handlers.jsonl"), Cast.read(folder / "cast.json")
        threads = [
            HandlersClient(
                name, read_steps(folder / "schedule.jsonl", name), history, cast, begins_at, stopping
            )
            for name, who in clients().items()
            if who == "direct"
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _ask_again(folder: Path, listed: Path) -> None:
    history = History(folder / f"history-{listed.stem}-handlers.jsonl")
    for line in listed.read_text().splitlines():
        ask(history, Request(**json.loads(line)))
