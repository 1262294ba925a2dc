"""The back-ends that a mirror of documents can have: how each is named in the settings, broken, and changed by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from .valkey import Valkey


class Backend(Protocol):
    """One technology, on a server of its own."""

    name: str
    port: int

    def options(self, port: int | None = None, **others: Any) -> dict[str, Any]:
        """Write the entry of READ_STORES, perhaps by way of another port."""

    def start(self) -> None:
        """Start the server."""

    def revive(self) -> None:
        """Start the server if it does not run."""

    def kill(self) -> None:
        """Kill the server."""

    def lose_data(self) -> None:
        """Empty the disk of a server that does not run."""

    def empty(self) -> None:
        """Delete all that the server holds, and let it forget whom it trusts."""

    def spoil(self, read_model: str, generation: int, keys: list[int]) -> int:
        """Change documents by hand, each in another way; return how many differ now."""

    def count(self, read_model: str, generation: int) -> int:
        """Count what there is of a generation."""


class RedisBackend:
    """Redis, or Valkey."""

    name = "redis"

    def __init__(self, folder: Path) -> None:
        self._server = Valkey(folder)
        self.port = self._server.port
        self.start, self.revive = self._server.start, self._server.revive
        self.kill, self.lose_data = self._server.kill, self._server.lose_data

    def options(self, port: int | None = None, **others: Any) -> dict[str, Any]:
        return {
            "BACKEND": "orders_read.stores.redis",
            "LOCATION": f"redis://127.0.0.1:{port or self.port}/0",
        } | others

    def empty(self) -> None:
        with self._server.client() as client:
            client.flushall()
            client.script_flush()

    def spoil(self, read_model: str, generation: int, keys: list[int]) -> int:
        name = f"orders:{read_model}:{generation}"
        with self._server.client() as client:
            acts: list[Callable[[str], Any]] = [
                client.delete,
                lambda key: client.hset(key, "d", '{"total": "0"}'),
                lambda key: client.hset(key, "v", 10**15),
                lambda key: client.hset(key, "v", "what?"),
                lambda key: client.hset(key, "u", 77),
                lambda key: client.delete(key) and client.set(key, "no hash"),
                lambda key: client.hdel(key, "d"),
            ]
            for number, key in enumerate(keys):
                acts[number % len(acts)](f"{name}:{key}")
            client.hset(f"{name}:987654321", mapping={"v": 1, "d": "{}"})
        return len(keys) + 1

    def count(self, read_model: str, generation: int) -> int:
        with self._server.client() as client:
            return sum(1 for _ in client.scan_iter(f"orders:{read_model}:{generation}:*"))


BACKENDS: dict[str, Callable[[Path], Backend]] = {"redis": RedisBackend}
