"""A Valkey of a test's own, that can be killed and started again at its port; and a way to it that can be cut."""

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import redis

from config.server_process import free_port
from config.valkey_server import _binary

START_SECONDS = 20.0


class Valkey:
    """A server that writes everything to its disk before it answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)

    def start(self) -> None:
        """Start it with what is on its disk, and wait until it answers."""
        options = {"port": self.port, "dir": self.folder, "bind": "127.0.0.1", "save": "", "appendonly": "yes",
                   "appendfsync": "always", "logfile": self.folder / "log"}  # fmt: skip
        arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        self._process = subprocess.Popen([_binary(), *arguments])
        ends_at = time.monotonic() + START_SECONDS
        while time.monotonic() < ends_at:
            with suppress(redis.RedisError), self.client() as client:
                if client.ping():
                    return
            time.sleep(0.02)
        raise TimeoutError((self.folder / "log").read_text())

    def revive(self) -> None:
        """Start it if it does not run."""
        if self._process is None or self._process.poll() is not None:
            self.start()

    def kill(self) -> None:
        """Kill it at once."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def lose_data(self) -> None:
        """Empty its disk."""
        for path in (self.folder / "appendonlydir").glob("*"):
            path.unlink()


class Way:
    """A way to a server that carries so many bytes to it, and is cut then; or takes all and answers nothing."""

    def __init__(self, port: int) -> None:
        self._server = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.left: float = float("inf")
        self.is_silent = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._listening.getsockname()[1]}/0"

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with near, socket.create_connection(("127.0.0.1", self._server)) as far:
            threading.Thread(target=self._answer, args=(far, near), daemon=True).start()
            with suppress(OSError):
                while said := near.recv(512):
                    allowed = said if self.left >= len(said) else said[: int(self.left)]
                    far.sendall(allowed)
                    self.left -= len(allowed)
                    if len(allowed) < len(said):
                        time.sleep(0.05)  # what was let through arrives
                        break
            with suppress(OSError):
                near.shutdown(socket.SHUT_RDWR)

    def _answer(self, far: socket.socket, near: socket.socket) -> None:
        with suppress(OSError):
            while said := far.recv(4096):
                if not self.is_silent:
                    near.sendall(said)
            near.shutdown(socket.SHUT_RDWR)


@contextmanager
def way_to(port: int) -> Iterator[Way]:
    """Lend a way to a server."""
    way = Way(port)
    try:
        yield way
    finally:
        way.close()
