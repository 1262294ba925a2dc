"""The folder in which a pair of embedded servers lives: its places and its secrets."""

import contextlib
import fcntl
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FALLBACK_DIR = Path("/var/lib/orders-embedded")


@dataclass(frozen=True)
class DataFolder:
    """`data` belongs to the starter; `postgres_home` can also be entered by the user who runs PostgreSQL."""

    data: Path
    postgres_home: Path

    @classmethod
    def at(cls, path: Path) -> "DataFolder":
        """Find the places for a folder; root starts PostgreSQL as a user who may not be able to enter it."""
        data = path.resolve()
        if os.geteuid() != 0 or reachable(data):
            return cls(data, data)
        return cls(data, FALLBACK_DIR / hashlib.sha256(str(data).encode()).hexdigest()[:12])

    @property
    def password(self) -> str:
        """The password of both servers; it stands beside the cluster that was made with it."""
        return secret(self.postgres_home / "password")

    def create(self) -> None:
        """Make the folders that are missing."""
        for path in (self.data, self.postgres_home):
            with contextlib.suppress(FileExistsError):  # made before, or by a starter that races us
                path.mkdir(parents=True)
                path.chmod(0o755)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep two starters apart. The lock ends with the process, however that ends."""
        with (self.data / "services.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def secret(path: Path) -> str:
    """Read a secret, made at random on the first call and readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        new = path.with_name(f"{path.name}.{os.getpid()}")
        write_private(new, secrets.token_urlsafe(48))
        with contextlib.suppress(FileExistsError):
            os.link(new, path)  # whole or not at all, and never over the secret of a racing process
        new.unlink()
    return path.read_text()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    path.touch(mode=0o600)
    path.write_text(text)


def reachable(path: Path) -> bool:
    """Say whether every user may enter all folders that lead to a path."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents if parent.exists())
