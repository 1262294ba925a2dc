"""PostgreSQL and Redis are restarted; web and workers go on, in the processes that they were."""

import shutil
import signal
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from uuid import uuid4

import psutil
import psycopg
import pytest
from pytest_django import Settings

from config import services
from outbox import bell
from outbox.bell import STANDING_KEY, Bell
from tests.conftest import EMPTY_THE_DATABASE
from tests.outbox.conftest import EMPTY, register
from tests.outbox.processes import POLLER, WORKER, Start, ends_softly, processes
from tests.outbox.world import World, seen, wait_until
from tests.torture.servers import Servers, free_port

STOP_SECONDS = 30
PATIENCE_SECONDS = 30
MOST_JOBS = 20


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """Give servers of their own, with the tables of the product."""
    found = Servers(services.DATA_DIR / "test" / f"restarts-{uuid4().hex[:8]}")
    try:
        found.start_postgres()
        found.start_valkey()
        with processes(found.database_url) as run:
            assert run(["manage.py", "migrate", "--verbosity=0"], found.redis_url).wait(120) == 0
        yield found
    finally:
        found.remove()
        shutil.rmtree(found.folder.data, ignore_errors=True)


@pytest.fixture
def opened() -> Iterator[list[World]]:
    """Give a list of worlds, whose clients are closed at the end."""
    worlds: list[World] = []
    yield worlds
    for one in worlds:
        one.close_clients()
        one.watcher.close()


@pytest.fixture
def visit(servers: Servers, opened: list[World]) -> Callable[[], World]:
    """Give a function that opens new clients to the servers."""

    def open_world() -> World:
        opened.append(World(lambda: psycopg.connect(servers.database_url)))
        return opened[-1]

    return open_world


@pytest.fixture
def prepared(servers: Servers, visit: Callable[[], World]) -> None:
    """Empty the database, and have only `seen` fed."""
    world = visit()
    world.watcher.execute(EMPTY_THE_DATABASE)
    world.watcher.execute("RESET session_replication_role")
    world.watcher.execute(EMPTY)
    world.watcher.execute("DROP TABLE IF EXISTS read_seen_g1")
    register(world, seen())
    with servers.redis() as client:
        client.flushall()


@pytest.fixture
def start(servers: Servers) -> Iterator[Start]:
    """Give a function that starts a process on the servers."""
    with processes(servers.database_url) as run:
        yield run


def stop_postgres(servers: Servers) -> None:
    """Shut it down as an operator does, with every session cut."""
    server = servers.postgres()
    assert server
    server.process.send_signal(signal.SIGINT)
    psutil.wait_procs([server.process], timeout=STOP_SECONDS)


@pytest.mark.parametrize("end", [stop_postgres, Servers.kill_postgres], ids=["shut down", "killed"])
@pytest.mark.parametrize("command", [WORKER, POLLER], ids=["worker", "run_delivery"])
def test_a_worker_survives_a_restart_of_the_database(
    servers: Servers,
    prepared: None,
    visit: Callable[[], World],
    start: Start,
    command: list[str],
    end: Callable[[Servers], None],
) -> None:
    process = start(command, servers.redis_url)
    world = visit()
    world.commit((1, 1))
    assert wait_until(lambda: world.checkpoint() == 1, PATIENCE_SECONDS)

    end(servers)
    servers.start_postgres()
    world = visit()
    world.commit((1, 2))

    assert wait_until(lambda: world.versions() == {1: [1, 2]}, PATIENCE_SECONDS)
    assert process.poll() is None
    ends_softly(process)


def status_of(url: str) -> int:
    """Ask with a token that nobody has, which is looked up in the database."""
    request = urllib.request.Request(url, headers={"Authorization": "Token nobody"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with closing(error):
            return error.code
    except OSError:
        return 0


def test_web_survives_a_restart_of_the_database(servers: Servers, prepared: None, start: Start) -> None:
    port = free_port()
    gunicorn = ["-m", "gunicorn", "config.wsgi", f"--bind=127.0.0.1:{port}", "--worker-class=gthread"]
    options = ["--workers=2", "--threads=4", "--log-level=critical", "--no-control-socket"]
    web = start([*gunicorn, *options], servers.redis_url)
    url = f"http://127.0.0.1:{port}/api/v1/orders"
    assert wait_until(lambda: status_of(url) == 401, PATIENCE_SECONDS)
    for _ in range(16):  # every thread has a connection
        status_of(url)
    family = {child.pid for child in psutil.Process(web.pid).children(recursive=True)}

    stop_postgres(servers)
    assert status_of(url) == 503
    servers.start_postgres()

    assert [status_of(url) for _ in range(16)] == [401] * 16
    assert {child.pid for child in psutil.Process(web.pid).children(recursive=True)} == family
    web.terminate()
    web.wait(STOP_SECONDS)


def test_a_worker_survives_a_restart_of_redis(
    servers: Servers,
    prepared: None,
    visit: Callable[[], World],
    start: Start,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.OUTBOX = settings.OUTBOX | {"REDIS_URL": servers.redis_url}
    monkeypatch.setattr(bell, "BELL", Bell())
    worker, world = start(WORKER, servers.redis_url), visit()
    world.commit((1, 1))
    assert wait_until(lambda: world.checkpoint() == 1, PATIENCE_SECONDS)

    servers.kill_valkey()
    world.commit((1, 2))
    assert wait_until(lambda: world.checkpoint() == 2, PATIENCE_SECONDS)
    servers.start_valkey()
    with servers.redis() as client:
        client.flushall()
        bell.ring()
        assert bell.BELL.flush(1)
        assert client.llen("rq:queue:delivery") + client.exists(STANDING_KEY) > 0
        assert wait_until(lambda: client.llen("rq:queue:delivery") == 0, PATIENCE_SECONDS)

    world.commit((1, 3))
    assert wait_until(lambda: world.versions() == {1: [1, 2, 3]}, PATIENCE_SECONDS)
    assert worker.poll() is None
    ends_softly(worker)


def test_a_restart_of_redis_among_many_bells_leaves_few_jobs(
    servers: Servers, prepared: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OUTBOX = settings.OUTBOX | {"REDIS_URL": servers.redis_url}
    monkeypatch.setattr(bell, "BELL", Bell())
    for number in range(1_000):
        bell.ring()
        if number % 50 == 0:
            bell.BELL.flush(1)
        if number == 500:
            servers.kill_valkey()
    servers.start_valkey()
    bell.BELL._silent_until = 0.0
    for _ in range(500):
        bell.ring()
    assert bell.BELL.flush(1)
    with servers.redis() as client:
        assert 1 <= client.llen("rq:queue:delivery") < MOST_JOBS
