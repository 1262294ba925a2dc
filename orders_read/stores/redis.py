"""Redis or Valkey as a store of documents: a hash for each, written by one script with compare.

`<prefix>:<read model>` is the name key and holds the number of the generation that is shown; `…:<generation>` tells
about it, and `…:<generation>:<key>` is a document: `v`ersion, `d`ocument, `u`ser who owns it.

Scripts are called by their hash alone. A server forgets them when it ends, so one that was killed, and lost its last
seconds or all it had, answers nobody and takes nothing: `begin` gives it the script that writes, and `show`, of a
generation that was built since, the one that reads.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha1
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.retry import Retry

from .contract import Document, GenerationLost, Held, NotADocument, StoreUnavailable
from .documents import Documents

LUA = Path(__file__).parent / "lua"
LOST, WRONG_TYPE = "LOST", "WRONGTYPE"
SCANNED = 1_000
WRITE_TIMEOUT_SECONDS = 2.0
PIPELINED = 200


class Script:
    """A script that is known by its hash, other for each mirror: what is loaded for one says nothing of another."""

    def __init__(self, name: str, mirror: str) -> None:
        self.text = (LUA / f"{name}.lua").read_text(encoding="utf-8").replace("{mirror}", mirror)
        self.sha = sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class Store:
    """The documents of one read model; safe for threads."""

    OPTIONS = frozenset({"LOCATION", "PREFIX"})
    REQUIRED = frozenset({"LOCATION"})
    longest_call_seconds = 2 * WRITE_TIMEOUT_SECONDS

    def __init__(self, documents: Documents, options: dict[str, Any]) -> None:
        self._documents = documents
        self._name = f"{options.get('PREFIX', 'orders')}:{documents.read_model}"
        location, timeout_seconds = options["LOCATION"], options["TIMEOUT_SECONDS"]
        self._readers = _client(location, timeout_seconds)
        self._writers = _client(location, WRITE_TIMEOUT_SECONDS)
        self._read, self._write, self._show = (
            Script(name, f"{self._name} {documents.form}")
            for name in ("redis_read", "redis_write", "redis_show")
        )

    def answer(self, key: int, user_id: int | None, history: str) -> tuple[str | None, int]:
        """Answer the document's text and version; no text where there is none, or another customer's."""
        with _as_unavailable():
            found = self._readers.evalsha(self._read.sha, 1, self._name, self._documents.form, key, history)
        if found is None:
            raise StoreUnavailable("the store shows no generation")
        try:
            version_text, text, owner, empty = (None if part is None else part.decode() for part in found)
            version = int(version_text or 0)
        except ValueError as error:
            raise NotADocument(f"{self._name} has something else at {key}") from error
        if text is None:
            return (self._documents.empty_answer(key, empty) if empty else None), version
        if self._documents.has_owner and user_id is not None and owner != str(user_id):
            return None, version
        return text, version

    def begin(self, generation: int, empty: str | None, history: str) -> None:
        """Make a generation that can be written; `empty` is the answer where there is no document."""
        about: dict[Any, Any] = {"form": self._documents.form, "history": history}
        about |= {} if empty is None else {"empty": empty}
        with _as_unavailable():
            self._writers.script_load(self._write.text)
            self._writers.hset(self._about(generation), mapping=about)

    def write(
        self,
        generations: Sequence[int],
        documents: Sequence[Document],
        expected: Mapping[int, str] | None = None,
    ) -> int:
        """Write into the first generation, then into the next, what is newer than what is there; return how many."""
        expected = expected or {}
        written = 0
        for generation in generations:
            for first in range(0, len(documents), PIPELINED):
                with _as_unavailable(), self._writers.pipeline(transaction=False) as pipeline:
                    for one in documents[first : first + PIPELINED]:
                        self._put(pipeline, generation, one, expected.get(one.key, ""))
                    written += sum(pipeline.execute())
        return written

    def _put(self, pipeline: Any, generation: int, one: Document, expected: str) -> None:
        owner = "" if one.owner is None else one.owner
        keys = self._document(generation, one.key), self._about(generation)
        said = self._documents.form, one.version, expected, one.text or "", owner
        pipeline.evalsha(self._write.sha, 2, *keys, *said)

    def holds(self, generation: int, history: str) -> bool:
        """Say whether the store holds this generation of this history, in the form that today's code writes."""
        with _as_unavailable():
            about = self._writers.hmget(self._about(generation), "form", "history")
        return bool(about == [self._documents.form.encode(), history.encode()])

    def show(self, generation: int) -> None:
        """Let readers see this generation from now on, all at once, and trust the store. Raises GenerationLost."""
        with _as_unavailable():
            keys = self._name, self._about(generation)
            self._writers.script_load(self._read.text)
            self._writers.eval(self._show.text, 2, *keys, self._documents.form, generation)

    def hide(self) -> None:
        """Show nothing."""
        with _as_unavailable():
            self._writers.delete(self._name)

    def shown(self) -> int | None:
        """Say which generation is shown."""
        with _as_unavailable():
            name = self._writers.get(self._name)
        return None if name is None else int(name)

    def is_trusted(self) -> bool:
        """Say whether the server is still the one that was written to: not after it was restarted."""
        with _as_unavailable():
            return bool(self._writers.script_exists(self._write.sha)[0])

    def held(self, generation: int, keys: Sequence[int]) -> Mapping[int, Held]:
        """Read documents as they are; a key that is no hash holds nothing that could be a document."""
        with _as_unavailable(), self._writers.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.hmget(self._document(generation, key), "v", "d", "u")
            answers = pipeline.execute(raise_on_error=False)
        found = {}
        for key, answer in zip(keys, answers, strict=True):
            if isinstance(answer, ResponseError):
                found[key] = Held("", None, "")
            elif isinstance(answer, RedisError):
                raise StoreUnavailable(str(answer)) from answer
            elif any(part is not None for part in answer):
                version, text, owner = (
                    None if part is None else part.decode(errors="replace") for part in answer
                )
                found[key] = Held(version, owner, text)
        return found

    def keys(self, generation: int) -> Iterator[Sequence[int]]:
        """List the keys of all documents, in portions; tombstones included, and some perhaps twice."""
        for names in self._scan(generation):
            parts = [name.rpartition(b":")[2] for name in names]
            yield [int(part) for part in parts if part.lstrip(b"-").isdigit()]

    def drop(self, generation: int, is_stopping: Callable[[], bool]) -> int:
        """Delete a generation that is not shown, and say how many keys those were."""
        dropped = 0
        with _as_unavailable():
            self._writers.delete(self._about(generation))
        for names in self._scan(generation):
            if is_stopping():
                break
            with _as_unavailable():
                dropped += self._writers.unlink(*names)
        return dropped

    def close(self) -> None:
        """Close what is open."""
        self._readers.close()
        self._writers.close()

    def _scan(self, generation: int) -> Iterator[list[Any]]:
        cursor, pattern = 0, f"{self._about(generation)}:*"
        while True:
            with _as_unavailable():
                cursor, names = self._writers.scan(cursor, match=pattern, count=SCANNED)
            if names:
                yield names
            if cursor == 0:
                return

    def _about(self, generation: int) -> str:
        return f"{self._name}:{generation}"

    def _document(self, generation: int, key: int) -> str:
        return f"{self._name}:{generation}:{key}"


def _client(location: str, timeout_seconds: float) -> redis.Redis:
    """Make a client whose connect and read take no longer than the time-out; a dropped connection is renewed once."""
    return redis.Redis.from_url(
        location,
        socket_connect_timeout=timeout_seconds / 2,
        socket_timeout=timeout_seconds / 2,
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
        protocol=2,
        driver_info=None,
    )


@contextmanager
def _as_unavailable() -> Iterator[None]:
    try:
        yield
    except NoScriptError as error:
        raise StoreUnavailable("the server was restarted, and is not trusted yet") from error
    except ResponseError as error:
        if LOST in str(error):
            raise GenerationLost(str(error)) from error
        if WRONG_TYPE in str(error):
            raise NotADocument(str(error)) from error
        raise StoreUnavailable(str(error)) from error
    except RedisError as error:
        raise StoreUnavailable(f"{type(error).__name__}: {error}") from error
