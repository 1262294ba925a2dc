"""What a store of documents is: it answers by key, and is written to by mirrors, whole documents guarded by version.

A mirror's generation is a set of documents in the store; readers see the one that is shown. A store that loses
documents, or goes back to earlier ones, must lose its readers' trust with them: it answers nobody until a generation is
built anew and shown.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class StoreUnavailable(Exception):
    """The store cannot answer at the moment, or holds nothing that can be trusted."""


class GenerationLost(StoreUnavailable):
    """The store does not hold this generation, or holds it in another form than today's code writes."""


class NotADocument(StoreUnavailable):
    """What the store holds under this key was written by nobody of ours; it says nothing of the others."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a read model as it is written; no text says that there is none any more."""

    key: int
    version: int
    owner: int | None
    text: str | None


@dataclass(frozen=True, slots=True)
class Held:
    """What a store holds under a key, as it is: somebody's hand may have changed any of it."""

    version: str | None
    owner: str | None
    text: str | None


class Answering(Protocol):
    """What a query needs of a store."""

    def answer(self, key: int, user_id: int | None, history: str) -> tuple[str | None, int]:
        """Answer the document's text and version; no text where there is none, or another customer's.

        Raises StoreUnavailable, also for documents of another history of the log than the one that is named.
        """


class DocumentStore(Answering, Protocol):
    """What a mirror needs of a store; every call ends within `longest_call_seconds` and may raise StoreUnavailable."""

    longest_call_seconds: float

    def begin(self, generation: int, empty: str | None, history: str) -> None:
        """Make a generation that can be written; `empty` is the answer where there is no document."""

    def write(
        self,
        generations: Sequence[int],
        documents: Sequence[Document],
        expected: Mapping[int, str] | None = None,
    ) -> int:
        """Write into the first generation, then into the next, what is newer than what is there; return how many were.

        `expected` names versions, by key, that may be overwritten although they are not older. Raises GenerationLost.
        """

    def holds(self, generation: int, history: str) -> bool:
        """Say whether the store holds this generation of this history, in the form that today's code writes."""

    def show(self, generation: int) -> None:
        """Let readers see this generation from now on, all at once, and trust the store. Raises GenerationLost."""

    def hide(self) -> None:
        """Show nothing."""

    def shown(self) -> int | None:
        """Say which generation is shown."""

    def is_trusted(self) -> bool:
        """Say whether the store is still the one that was written to: not after it was restarted."""

    def held(self, generation: int, keys: Sequence[int]) -> Mapping[int, Held]:
        """Read documents as they are."""

    def keys(self, generation: int) -> Iterator[Sequence[int]]:
        """List the keys of all documents, in portions; tombstones included, and some perhaps twice."""

    def drop(self, generation: int, is_stopping: Callable[[], bool]) -> int:
        """Delete a generation that is not shown, and say how many keys those were."""
