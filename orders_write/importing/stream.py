"""Read a command stream, and survey the whole of it before its first command runs."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from .fields import WrongShape
from .files import BadFile, numbered_lines, sha256
from .records import PRODUCT_TYPES, Names, Record, record_from


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a look through the whole stream found; `owners` names for each order whose commands it belongs to."""

    sha256: str
    count: int
    starts_at: datetime | None
    customers: frozenset[str]
    owners: dict[str, str]
    changes_products: bool


def records(path: Path, limit: int | None = None) -> Iterator[Record]:
    """Yield the first `limit` records; the numbers in `seq` must rise, so that none can occur twice."""
    return islice(_records(path), limit)


def survey(path: Path, limit: int | None = None) -> Survey:
    """Read every record of the file and check every field of it; raises BadFile with the line's number."""
    names = Names(users=_Anything(), orders=_Anything(), source="")
    customers: set[str] = set()
    owners: dict[str, str] = {}
    types: set[str] = set()
    starts_at, count = None, 0
    for record in _records(path):
        _check(path, record, names)
        if limit is not None and count == limit:
            continue
        starts_at, count = starts_at or record.occurred_at, count + 1
        types.add(record.type)
        if record.customer is not None:
            customers.add(record.customer)
        if record.placed is not None:
            owners[record.placed] = owner(record, owners)
    return Survey(
        sha256=sha256(path),
        count=count,
        starts_at=starts_at,
        customers=frozenset(customers),
        owners=owners,
        changes_products=bool(types & PRODUCT_TYPES),
    )


def owner(record: Record, owners: dict[str, str]) -> str:
    """Name whose commands this one must stay in order with: its customer's, or those of a guest's order."""
    if record.customer is not None:
        return f"customer {record.customer}"
    order = record.placed or min(record.orders, default=None)
    if order is None:
        return f"record {record.seq}"
    return owners.get(order, f"order {order}")


def _records(path: Path) -> Iterator[Record]:
    last = None
    for number, text in numbered_lines(path):
        try:
            record = record_from(number, text)
        except WrongShape as error:
            raise BadFile(path, str(error), number) from error
        if last is not None and record.seq <= last:
            raise BadFile(path, f"seq {record.seq} does not come after {last}, as it must", number)
        last = record.seq
        yield record


def _check(path: Path, record: Record, names: Names) -> None:
    try:
        record.command(names)
    except WrongShape as error:
        raise BadFile(path, str(error), record.line) from error


class _Anything(dict[str, int]):
    """Knows every name, for a look at shapes alone."""

    def __missing__(self, name: str) -> int:
        return 0
