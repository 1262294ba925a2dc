"""Take one safeguard out of the product, as the environment variable TORTURE_MUTANT names it; only the tool sets it.

A mutation changes code, in every process of the product as it starts, or the database, when the shop is prepared.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connection

from orders_write import handlers, loading
from outbox import careful, checkpoints, delivery, folding
from outbox.relay import Relay

VARIABLE = "TORTURE_MUTANT"
SQL = Path(loading.__file__).parent / "sql"

LOOK_UP_ONLY = re.compile(r"FROM claim_idempotency_keys\(.*?\)\)\)\);", re.DOTALL)
UNLOCKED = "SELECT set_config('outbox.relay_is_mine', 'true', true), $1::int"
SKIPPING = "LIMIT (SELECT messages FROM room) FOR UPDATE SKIP LOCKED"
FROM_SEQUENCE = "nextval('mutant_positions')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """What a mutant lacks."""

    code: Callable[[], None] = lambda: None
    database: Callable[[], None] = lambda: None


def change_code() -> None:
    """Change this process."""
    _chosen().code()


def change_database() -> None:
    """Change what stands in the database."""
    _chosen().database()


def _chosen() -> Mutation:
    name = os.environ.get(VARIABLE, "")
    return MUTATIONS[name] if name else Mutation()


def _commit_asynchronously() -> None:
    """Answer a command before its commit is on the disk."""
    save = handlers.save

    def save_and_hurry(*arguments: Any) -> None:
        save(*arguments)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")

    handlers.save = save_and_hurry


def _look_up_keys_without_claiming() -> None:
    """Look a key up first and insert it afterwards, unless somebody has it by then."""
    _replace("load_batch", lambda text: LOOK_UP_ONLY.sub("FROM idempotency_keys));", text))
    last = "headers jsonb, body text)"
    _replace("save_batch", lambda text: text.replace(last, f"{last} ON CONFLICT DO NOTHING"))


def _read_stock_without_lock() -> None:
    """Read the stock, check it, and write it, with no lock before and no constraint behind."""
    _replace(
        "load_batch",
        lambda text: text.replace("ORDER BY product_id FOR NO KEY UPDATE", "ORDER BY product_id"),
    )
    _execute("ALTER TABLE stock DROP CONSTRAINT stock_not_oversold")


def _relay_without_lock() -> None:
    Relay.try_lock = UNLOCKED


def _drop_position_key() -> None:
    _execute("ALTER TABLE event_log DROP CONSTRAINT event_log_pkey")


def _relay_side_by_side() -> None:
    """Let each relay skip the rows that another has, and take positions from a sequence."""
    Relay.try_lock = UNLOCKED
    numbered = "head.position + row_number() OVER (ORDER BY message_id)"
    assert numbered in Relay.move
    Relay.move = Relay.move.replace("LIMIT (SELECT messages FROM room)", SKIPPING).replace(
        numbered, FROM_SEQUENCE
    )


def _make_sequence() -> None:
    _execute("CREATE SEQUENCE mutant_positions")


def _commit_effect_before_checkpoint() -> None:
    """Commit what was folded, then move the checkpoint in a transaction of its own."""
    advance, move = folding.advance, checkpoints.move

    def advance_then_move(raw: Any, keys: Any, from_position: int, to_position: int, *more: Any) -> None:
        checkpoints.move = lambda *_: None
        try:
            advance(raw, keys, from_position, to_position, *more)
        finally:
            checkpoints.move = move
        raw.execute("COMMIT")
        raw.execute("BEGIN")
        move(raw, [(key.projection, key.generation) for key in keys], from_position, to_position)

    folding.advance = delivery.advance = careful.advance = advance_then_move


def _replace(function: str, change: Callable[[str], str]) -> None:
    text = (SQL / f"{function}.sql").read_text()
    assert change(text) != text, f"{function} has nothing to change"
    _execute(change(text))


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


MUTATIONS = {
    "nothing": Mutation(),  # what the settings of mutants change besides must kill nobody
    "synchronous_commit_off": Mutation(code=_commit_asynchronously),
    "check_then_insert_idempotency": Mutation(database=_look_up_keys_without_claiming),
    "read_check_write_stock": Mutation(database=_read_stock_without_lock),
    "two_relays_unlocked": Mutation(code=_relay_without_lock, database=_drop_position_key),
    "two_relays_skipping_locked": Mutation(code=_relay_side_by_side, database=_make_sequence),
    "effect_and_checkpoint_in_two_transactions": Mutation(code=_commit_effect_before_checkpoint),
}
