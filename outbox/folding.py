"""Fold a range of the log into generations of projections and move their checkpoints, in the caller's transaction."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import psycopg
from django.utils.module_loading import import_string

from . import checkpoints
from .folds import GenerationKey, StoredFolds
from .options import options

DELIVERY_LOCK = 0x64656C69  # "deli"; the second key is a hash of projection and generation
HOLD = "SELECT pg_advisory_xact_lock($1::int, hashtext($2::text || ' ' || $3::int))"

# Folds can be repeated, so their commit need not wait for the disk. A small range gets a plan that is kept and goes
# by indexes, even when it was made for empty tables; a large range gets a plan for its size, and joins by hash, since
# a log that grows fast is taken for a small one, and a nested loop over thousands of events takes minutes.
SETTINGS = """
SELECT set_config('synchronous_commit', 'off', true), set_config('statement_timeout', $1, true),
       set_config('plan_cache_mode', $2, true), set_config('enable_nestloop', $3, true),
       set_config('enable_seqscan', $4, true), set_config('enable_hashjoin', $4, true),
       set_config('enable_mergejoin', $4, true)
"""
SMALL_RANGE = 100
FOR_SMALL = ["force_generic_plan", "on", "off"]
FOR_LARGE = ["force_custom_plan", "off", "on"]

REFUSE_UNKNOWN = (
    "SELECT outbox_refuse_unknown($1::bigint, $2::bigint, $3::text[], $4::text, $5::int)"  # raises UNKNOWN
)
UNKNOWN = "OB001"

RAISE_VERSION = """
UPDATE "{table}" SET row_version = greatest(row_version, $2::bigint) WHERE ctid = ANY ($1::text[]::tid[])
"""

FOLDS = StoredFolds()


@dataclass(frozen=True, slots=True)
class Step:
    """A statement of a round: for which generations, what it did, and the cursor that gets its answer."""

    keys: tuple[GenerationKey, ...]
    where: str
    cursor: psycopg.RawCursor[Any]


def settle_down(connection: psycopg.Connection[Any], timeout_seconds: float, events: int = 0) -> None:
    """Set the transaction up for folds over so many events, none of which may take longer than the time-out."""
    plan = FOR_SMALL if events <= SMALL_RANGE else FOR_LARGE
    psycopg.RawCursor(connection).execute(SETTINGS, [f"{timeout_seconds * 1000:.0f}ms", *plan], prepare=True)


def advance(
    connection: psycopg.Connection[Any],
    keys: Sequence[GenerationKey],
    from_position: int,
    to_position: int,
    parked: Collection[GenerationKey] = (),
    steps: list[Step] | None = None,
    letters_of: GenerationKey | None = None,
) -> None:
    """Move the checkpoints of some generations over a range and fold it into their tables.

    For generations in `parked`, aggregates behind an open dead letter are left out: a letter of their own, or of the
    generation that is named. An event of a type or version that
    no code knows makes it fail. The folds must have been loaded. `steps` gets what is executed, as it is executed: in
    a pipeline, the first step without an answer is the one that failed.
    """
    steps = steps if steps is not None else []
    members = [(key.projection, key.generation) for key in keys]
    checkpoints.move(connection, members, from_position, to_position)
    clean = tuple(key for key in keys if key not in parked)
    for group in ([clean] if clean else []) + [(key,) for key in keys if key in parked]:
        _refuse_unknown(connection, group, from_position, to_position, letters_of or group[0], steps)
    for key in keys:
        letters = letters_of or key
        whose = [letters.projection, letters.generation] if key in parked else []
        for fold in FOLDS.of(key):
            text = fold.less_parked if key in parked else fold.of_range
            cursor = psycopg.RawCursor(connection)
            steps.append(Step((key,), f"in {fold.table}", cursor))
            cursor.execute(text, [from_position, to_position, *whose], prepare=True)


def _refuse_unknown(
    connection: psycopg.Connection[Any],
    keys: tuple[GenerationKey, ...],
    from_position: int,
    to_position: int,
    letters_of: GenerationKey,
    steps: list[Step],
) -> None:
    if known := _known(options().events):
        cursor = psycopg.RawCursor(connection)
        steps.append(Step(keys, "in the log", cursor))
        whose = [letters_of.projection, letters_of.generation]
        cursor.execute(REFUSE_UNKNOWN, [from_position, to_position, known, *whose], prepare=True)


@cache
def _known(path: str) -> list[str]:
    """List what the code knows, as `type version`; nothing when the settings name no events: then nobody asks."""
    newest: dict[str, int] = import_string(path) if path else {}
    return [f"{name} {version}" for name, last in newest.items() for version in range(1, last + 1)]


def failed_step(steps: Sequence[Step]) -> Step | None:
    """Find the step of a failed pipeline that failed; None when all of them were answered."""
    return next((step for step in steps if step.cursor.statusmessage is None), None)


def say_where(error: psycopg.Error, steps: Sequence[Step]) -> None:
    """Note on an error which fold it came from."""
    if step := failed_step(steps):
        error.add_note(step.where)


def fold_event(
    connection: psycopg.Connection[Any], key: GenerationKey, position: int, row_version: int
) -> None:
    """Fold one event into a generation that stands at `row_version`, past the event; the checkpoint stays.

    The rows get that version, as they are newer now than readers that have seen them believe.
    """
    if known := _known(options().events):
        psycopg.RawCursor(connection).execute(REFUSE_UNKNOWN, [position - 1, position, known, "", 0])
    for fold in FOLDS.of(key):
        try:
            written = psycopg.RawCursor(connection).execute(fold.of_event, [position]).fetchall()
        except psycopg.Error as error:
            error.add_note(f"in {fold.table}")
            raise
        raise_version = RAISE_VERSION.format(table=fold.table)
        psycopg.RawCursor(connection).execute(raise_version, [[ctid for (ctid,) in written], row_version])


def hold(connection: psycopg.Connection[Any], projection: str, generation: int) -> None:
    """Keep live delivery from one generation until the transaction ends; waits for a round that is at work."""
    psycopg.RawCursor(connection).execute(HOLD, [DELIVERY_LOCK, projection, generation])
