"""Look how far read models have come: one cheap statement, on the connection that serves them, also on a replica."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.db import connection

from .stores.positions import position_of_store

STANDING = (Path(__file__).resolve().parent / "sql" / "standing.sql").read_text(encoding="utf-8")
NOWHERE = 2**63 - 1
# A message is looked for a little further back than it can stand, so that the planner takes the index on messages: for
# the few events after the log's head of that moment, it would read all those that came since.
FURTHER_BACK = 100_000


class UnknownReadModel(LookupError):
    """There is no read model of this name."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a read model stands.

    `parked` counts the aggregates whose events wait behind a dead letter; `lacks_message` says that one of the messages
    that were asked for is of such an aggregate. `lag_seconds` is the age of the oldest event that it has not taken in,
    messages that are not relayed yet included; 0 when there is none.
    """

    read_model: str
    position: int
    is_paused: bool
    parked: int
    lacks_message: bool
    lag_seconds: float


def look(
    read_models: Sequence[str], message_ids: Iterable[int] = (), after: int = NOWHERE
) -> tuple[list[Standing], Mapping[int, int]]:
    """Return where read models stand, and the positions of those messages that are in the log beyond `after`.

    Raises UnknownReadModel.
    """
    asked: dict[str, Any] = {
        "read_models": list(read_models),
        "message_ids": list(message_ids),
        "after": after - FURTHER_BACK,
    }
    with connection.cursor() as cursor:
        cursor.execute(STANDING, asked)
        rows = cursor.fetchall()
    if len(rows) < len(set(read_models)):
        raise UnknownReadModel(", ".join(read_models))
    positions = dict(rows[0][-1] or ()) if rows else {}
    return [_where_read(Standing(*row[:-1])) for row in rows], positions


def _where_read(one: Standing) -> Standing:
    """Let the store count that answers for a read model, if it is another."""
    store = position_of_store(one.read_model)
    if store is None:
        return one
    return replace(
        one,
        position=store.position,
        is_paused=one.is_paused or store.is_paused,
        lag_seconds=max(one.lag_seconds, store.lag_seconds),
    )
