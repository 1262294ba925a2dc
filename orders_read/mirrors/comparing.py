"""Compare a mirror with the read model that it was made from, document by document, and mend what differs.

Both move meanwhile. So what differs at first is looked at again when the mirror has taken in all that was folded by
then; what the read model has changed since is looked at once more.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from outbox import actions
from outbox.connection import connect

from ..stores.choice import Chosen
from ..stores.contract import Document, Held
from ..stores.documents import DOCUMENTS
from . import building, record
from .building import Work, alone, catch_up
from .exceptions import NothingToVerify
from .record import Generation
from .source import Source
from .touching import refresh

COMPARED_AT_ONCE = 500
ROUNDS = 5
MOST_NAMED = 100


@dataclass(frozen=True, slots=True)
class Difference:
    """A document that differs: what the store holds and what it should; None where there is none."""

    key: int
    held: Held | None
    should: Document | None


@dataclass(frozen=True, slots=True)
class Compared:
    """What a verification of a mirror found."""

    mirror: str
    documents: int
    differences: Sequence[Difference]
    repaired: int = 0


def verify(mirror: Chosen, *, repairs: bool, actor: str, reason: str = "") -> Compared:
    """Compare every document of the generation that is shown; mend what differs, if wished.

    Raises MirrorError and StoreUnavailable.
    """
    with connect(f"verify {mirror.subscriber}"[:63]) as connection, alone(connection, mirror):
        work = Work(connection=connection, mirror=mirror)
        live = record.one_in_state(record.generations(connection, mirror.subscriber), "live")
        if live is None or building.give_up_lost(work):
            raise NothingToVerify(mirror=mirror.subscriber)
        comparison = Comparison(work, live)
        found, documents = comparison.run()
        mended = comparison.repair(found) if repairs else 0
        if mended:
            keys = [one.key for one in found[:MOST_NAMED]]
            actions.record(
                connection, actor, "repair_mirror", mirror.subscriber, reason, documents=mended, first=keys
            )
        return Compared(mirror.subscriber, documents, found, mended)


class Comparison:
    """The comparison of one generation with its source, by whoever is alone with the mirror."""

    def __init__(self, work: Work, live: Generation) -> None:
        self._work = work
        self._generation = live.generation
        self._source = Source(DOCUMENTS[work.mirror.read_model], live.source_generation)

    def run(self) -> tuple[list[Difference], int]:
        """List what differs, and count the documents."""
        documents, suspects = 0, set[int]()
        for page in self._pages():
            documents += len(page)
            suspects |= {one.key for one in self._differ(page)}
        for keys in self._work.mirror.store.keys(self._generation):
            rows = self._source.read(self._work.connection, keys)
            suspects |= {one.key for one in self._differ([row for row in rows if row.text is None])}
        return self._settled(suspects), documents

    def repair(self, found: Sequence[Difference]) -> int:
        """Write what should be there over what was found; return how many were written."""
        mended = 0
        for first in range(0, len(found), COMPARED_AT_ONCE):
            part = found[first : first + COMPARED_AT_ONCE]
            rows = self._source.read(self._work.connection, [one.key for one in part])
            expected = {one.key: (one.held.version or "") if one.held else "" for one in part}
            mended += self._work.mirror.store.write([self._generation], rows, expected)
        return mended

    def _settled(self, suspects: set[int]) -> list[Difference]:
        """Look at suspects until only those are left that differ in what the mirror has taken in."""
        found: list[Difference] = []
        for _ in range(ROUNDS):
            if not suspects:
                break
            goal = self._catch_up()
            differing = self._differ(self._source.read(self._work.connection, sorted(suspects)))
            found += [one for one in differing if _version(one) <= goal]
            suspects = {one.key for one in differing if _version(one) > goal}
        return sorted(found, key=lambda one: one.key)

    def _catch_up(self) -> int:
        refresh(self._work.connection, self._work.mirror)
        catch_up(self._work)
        return record.position(self._work.connection, self._work.mirror.subscriber) or 0

    def _pages(self) -> Iterator[list[Document]]:
        after = -(2**63)
        while page := self._source.page(self._work.connection, after, COMPARED_AT_ONCE):
            yield page
            after = page[-1].key

    def _differ(self, rows: Sequence[Document]) -> list[Difference]:
        held = self._work.mirror.store.held(self._generation, [row.key for row in rows])
        return [difference for row in rows if (difference := _difference(row, held)) is not None]


def _difference(row: Document, held: Mapping[int, Held]) -> Difference | None:
    """Compare one document; of one that is gone, a tombstone may be left, or nothing."""
    has = held.get(row.key)
    if row.text is None:
        return Difference(row.key, has, None) if has and has.text is not None else None
    owner = None if row.owner is None else str(row.owner)
    is_equal = has is not None and (has.version, has.owner, has.text) == (str(row.version), owner, row.text)
    return None if is_equal else Difference(row.key, has, row)


def _version(one: Difference) -> int:
    return one.should.version if one.should else 0
