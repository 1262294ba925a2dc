"""The shop on one's own machine: `python -m config.shop run|demo|stop` serves make's run, demo and stop."""

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg

from . import services, settings
from .server_process import ServiceError, is_alive
from .supervisor import STOP_TIMEOUT_SECONDS, supervise

SAMPLE = settings.BASE_DIR / "examples" / "online_retail"
FIRST_MONTH_COMMANDS = 1_885  # the next command of the sample is of January 2011
WEB_PROCESSES = 2
FIRST_PORT, LAST_PORT = 8_000, 8_099

LOCK = services.DATA_DIR / "shop.lock"
CHILDREN = services.DATA_DIR / "shop.json"
FIRST_MONTH_BEGUN = services.DATA_DIR / "first_month_begun"


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m config.shop", description="Run the shop on this machine."
    )
    parser.add_argument("command", choices=["run", "demo", "stop"])
    parser.add_argument("--port", type=int, default=0, help=f"{FIRST_PORT}, or the next free one")
    options = parser.parse_args()
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM)
    )  # as Ctrl-C: clean up on the way out
    try:
        match options.command:
            case "run":
                return run(options.port)
            case "demo":
                return demo()
        return stop()
    except ServiceError as error:
        return _fail(str(error))
    except subprocess.CalledProcessError as error:
        return _fail(f"`manage.py {error.cmd[2]}` failed (exit code {error.returncode}).")
    except KeyboardInterrupt:
        return _fail("Interrupted; what was done stays, and the next start goes on from there.")


def run(port: int) -> int:
    """Prepare the shop, then serve it in the foreground until a signal comes; the data stays."""
    with _only_one():
        _end_children(_read_children())
        if port and not _is_free(port):
            raise ServiceError(f"Port {port} is taken; name another with PORT=...")
        _start_servers()
        try:
            _prepare()
            _import_first_month()
            return _serve(port or _free_port())
        finally:
            CHILDREN.unlink(missing_ok=True)
            _stop_servers()


def demo() -> int:
    """Import the whole year and compare the read models with the known answers; 0 when all are equal."""
    started = _start_servers()
    try:
        _prepare()
        _say("Importing a year of real orders ...")
        _import("--processes", str(os.cpu_count() or 1))
        FIRST_MONTH_BEGUN.unlink(missing_ok=True)
        return subprocess.run(_manage("check_answers", SAMPLE / "answers"), check=False).returncode  # noqa: S603
    finally:
        if started:
            _stop_servers()


def stop() -> int:
    """Stop a shop that runs, and whatever an interrupted one left behind."""
    stopped = _end_runner()
    _end_children(_read_children())
    stopped += [services.stop(folder) for folder in (services.DATA_DIR, services.DATA_DIR / "test")]
    _say("Stopped; the data stays." if any(stopped) else "Nothing ran.")
    return 0


def _end_runner() -> list[bool]:
    with contextlib.suppress(FileNotFoundError, ValueError, psutil.Error):
        runner = psutil.Process(int(LOCK.read_text()))
        if "config.shop" in runner.cmdline():
            runner.terminate()
            runner.wait(STOP_TIMEOUT_SECONDS + services.STOP_TIMEOUT_SECONDS)
            return [True]
    return [False]


@contextlib.contextmanager
def _only_one() -> Iterator[None]:
    """Hold the lock that only one running shop can have; it ends with the process, however that ends."""
    services.DATA_DIR.mkdir(exist_ok=True)
    with LOCK.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServiceError("The shop runs already in another terminal; `make stop` stops it.") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _start_servers() -> bool:
    if settings.SERVERS_ARE_NAMED:
        return False
    _say("Starting PostgreSQL and Valkey ...")
    return services.start()


def _stop_servers() -> None:
    if not settings.SERVERS_ARE_NAMED:
        services.stop()


def _prepare() -> None:
    _run_manage("migrate", "--verbosity=0")
    _run_manage("create_demo_accounts")


def _import_first_month() -> None:
    """Import it into a shop without orders; a marker lets the next start finish what was interrupted."""
    if _has_orders() and not FIRST_MONTH_BEGUN.exists():
        return
    FIRST_MONTH_BEGUN.touch()
    _say("Importing the first month of a year of real orders (`make demo` imports all of it) ...")
    _import("--limit", str(FIRST_MONTH_COMMANDS))
    FIRST_MONTH_BEGUN.unlink()


def _has_orders() -> bool:
    with psycopg.connect(_environment()["DATABASE_URL"]) as connection:
        return bool(connection.execute("SELECT FROM orders LIMIT 1").rowcount)


def _import(*options: str) -> None:
    files = ("--products", SAMPLE / "products.csv.xz", "--customers", SAMPLE / "customers.csv.xz")
    _run_manage("import_orders", SAMPLE / "commands.jsonl.xz", *files, *options)
    _run_manage("run_delivery", "--once")


def _serve(port: int) -> int:
    commands = {
        "web": [
            sys.executable, "-m", "gunicorn", "config.wsgi", f"--bind=127.0.0.1:{port}",
            "--worker-class=gthread", f"--workers={WEB_PROCESSES}", f"--threads={settings.WEB_THREADS}",
            "--log-level=warning", "--no-control-socket",
        ],
        "worker": _manage("rqworker", "delivery", "--worker-class=outbox.worker.DeliveryWorker", "--verbosity=0"),
        "work": _manage("rqworker", "work", "--verbosity=0"),
        "publishers": _manage("run_publishers"),
    }  # fmt: skip

    has_opened = False

    def changed(pids: list[int]) -> None:
        nonlocal has_opened
        _write_children(pids)
        if not has_opened:
            _say(f"\nThe shop is open: http://127.0.0.1:{port}/ (API: /api/docs/, admin: /admin/)\n")
        has_opened = True

    return asyncio.run(supervise(commands, _environment(), changed))


def _manage(*arguments: str | Path) -> list[str]:
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), *map(str, arguments)]


def _run_manage(*arguments: str | Path) -> None:
    subprocess.run(_manage(*arguments), check=True, env=_environment())  # noqa: S603 – our own commands


def _environment() -> dict[str, str]:
    """Name the servers to the children, and plain HTTP: the shop listens on the loopback address only."""
    found = services.urls()
    servers = {"DATABASE_URL": found.database, "REDIS_URL": found.redis} if found else {}
    return servers | {"HTTPS": "0", "PYTHONUNBUFFERED": "1"} | os.environ


def _free_port() -> int:
    for port in range(FIRST_PORT, LAST_PORT + 1):
        if _is_free(port):
            return port
    raise ServiceError(f"No port from {FIRST_PORT} to {LAST_PORT} is free; name one with PORT=...")


def _is_free(port: int) -> bool:
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        return True
    return False


def _write_children(pids: list[int]) -> None:
    """Write down who runs, whole or not at all; who has died meanwhile is left out."""
    found = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append([pid, psutil.Process(pid).create_time()])
    new = CHILDREN.with_suffix(".new")
    new.write_text(json.dumps(found))
    new.replace(CHILDREN)


def _read_children() -> list[psutil.Process]:
    """Find the children that a killed runner left; who took over a pid was created later."""
    found = []
    with contextlib.suppress(FileNotFoundError, ValueError):
        for pid, created in json.loads(CHILDREN.read_text()):
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                if process.create_time() == created and is_alive(process):
                    found.append(process)
    return found


def _end_children(processes: list[psutil.Process]) -> None:
    for process in processes:
        os.killpg(process.pid, signal.SIGTERM)
    _, slow = psutil.wait_procs(processes, timeout=STOP_TIMEOUT_SECONDS)
    for process in slow:
        os.killpg(process.pid, signal.SIGKILL)
    CHILDREN.unlink(missing_ok=True)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _fail(text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
