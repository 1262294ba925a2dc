"""Read events of older schema versions as today's: by SQL functions that settings name, in every place that reads.

`OUTBOX["UPCASTERS"] = {"OrderPlaced": {1: "upcast_order_placed_1"}}` says which function turns the payload of version
1 into that of version 2: it takes and returns jsonb, and is IMMUTABLE. The log keeps what was written. Without any, the
statements that read the log are what they would be otherwise.
"""

import re
from collections.abc import Iterator, Mapping

from psycopg.sql import quote

from .options import options

PLAIN = ("payload", "schema_version")
NAME = re.compile(r"[a-z_][a-z0-9_]*")

# Of those that are named ($1), which are not there, or not as they must be.
UNFIT = """
SELECT wanted.name FROM unnest(%s::text[]) AS wanted (name)
 WHERE NOT EXISTS (
       SELECT FROM pg_proc WHERE oid = to_regprocedure(wanted.name || '(jsonb)')
          AND prorettype = 'jsonb'::regtype AND provolatile = 'i')
 ORDER BY 1
"""

Upcasters = Mapping[str, Mapping[int, str]]


def read_as_today(event: str = "event_log") -> tuple[str, str]:
    """Return the expressions of payload and schema version, in today's form, of a relation of events."""
    chains = {name: dict(sorted(chain.items())) for name, chain in options().upcasters.items() if chain}
    if not chains:
        return PLAIN
    payloads = "".join(
        f" WHEN {event}.event_type = {quote(name)} AND {event}.schema_version = {version:d}"
        f" THEN {_nested(chain, version, f'{event}.payload')}"
        for name, chain in chains.items()
        for version in chain
    )
    versions = "".join(
        f" WHEN {event}.event_type = {quote(name)} AND {event}.schema_version IN ({', '.join(map(str, chain))})"
        f" THEN {max(chain) + 1:d}::smallint"
        for name, chain in chains.items()
    )
    return f"CASE{payloads} ELSE {event}.payload END", f"CASE{versions} ELSE {event}.schema_version END"


def _nested(chain: Mapping[int, str], version: int, payload: str) -> str:
    """Call the functions from one version on, one inside the other."""
    for step in sorted(chain):
        if step >= version:
            payload = f'"{chain[step]}"({payload})'
    return payload


def names(upcasters: Upcasters) -> list[str]:
    """List the functions."""
    return sorted({name for chain in upcasters.values() for name in chain.values()})


def gaps(upcasters: Upcasters, newest: Mapping[str, int]) -> Iterator[str]:
    """Say where the way from a version to today's has a gap or leads elsewhere; `newest` are today's versions."""
    for event_type in sorted({*upcasters, *(name for name, version in newest.items() if version > 1)}):
        chain, last = upcasters.get(event_type, {}), newest.get(event_type)
        if last is None:
            yield f"no code knows the event {event_type}"
            continue
        if missing := sorted({*range(1, last)} - {*chain}):
            yield f"{event_type} has no upcaster of version {', '.join(map(str, missing))}"
        if beyond := sorted({*chain} - {*range(1, last)}):
            yield f"{event_type} has version {last} today, but an upcaster of {', '.join(map(str, beyond))}"
