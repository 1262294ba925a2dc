"""What a projection is, and which ones this project has."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.module_loading import import_string

from .options import options


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table of a read model and the statement that folds a batch of events into it.

    `columns_ddl` is the inside of `CREATE TABLE {table} (…)`, primary key included; `indexes` are whole statements on
    `{table}`. `fold` is one `INSERT INTO {table} … ON CONFLICT … DO UPDATE`: it reads the relation `batch` and its own
    table, or another of its projection as `{table:NAME}`, and nothing else. Where a row tells of one aggregate alone,
    `aggregate_type` names its type: its id is the primary key, and its events are all that the row is made of.
    """

    name: str
    columns_ddl: str
    fold: str
    indexes: tuple[str, ...] = ()
    fillfactor: int = 100
    aggregate_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """A subscriber that keeps a read model in this database.

    `version` changes when the fold's meaning does; `tables` are folded in the order given.
    """

    name: str
    version: int
    question: str
    tables: Sequence[Table]


def projections() -> tuple[Projection, ...]:
    """Load the projections that the settings name; raises what a wrong path raises, which the checks report before."""
    return tuple(import_string(path) for path in options().subscribers)


def projection(name: str) -> Projection:
    """Find one projection by name; raises KeyError."""
    return {found.name: found for found in projections()}[name]


def table_name(name: str, generation: int) -> str:
    """Name the table of one generation of a read model."""
    return f"read_{name}_g{generation}"
