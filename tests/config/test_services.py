"""Tests of the embedded servers: started, found again, killed, and started again."""

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import psutil
import psycopg
import pytest
import redis

from config import data_folder, postgres_server, services, valkey_server
from config.data_folder import DataFolder
from config.server_process import ServiceError, is_alive

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root drops privileges")


@pytest.fixture
def folder():
    """Give a data folder of its own; the servers in it are stopped at the end."""
    path = services.DATA_DIR / "test" / f"launcher-{uuid4().hex[:8]}"
    yield path
    services.stop(path)
    for home in (path, DataFolder.at(path).postgres_home):
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def fallback(monkeypatch):
    """Give the place for what the unprivileged user must reach, wherever this checkout lies."""
    with TemporaryDirectory(prefix="orders-") as path:
        Path(path).chmod(0o755)
        monkeypatch.setattr(data_folder, "FALLBACK_DIR", Path(path) / "embedded")
        yield data_folder.FALLBACK_DIR


def servers(path):
    found = DataFolder.at(path)
    return postgres_server.running(found), valkey_server.running(found)


def write_something(path):
    urls = services.urls(path)
    with psycopg.connect(urls.database) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'for good' AS word")
    with redis.Redis.from_url(urls.redis) as client:
        assert client.set("word", "for now")


def read_it(path):
    with psycopg.connect(services.urls(path).database) as connection:
        return connection.execute("SELECT word FROM kept").fetchone()[0]


def test_servers_that_run_are_reused(folder):
    first, first_urls = services.start(folder), services.urls(folder)

    second, second_urls = services.start(folder), services.urls(folder)

    assert (first, second) == (True, False)
    assert first_urls == second_urls


def test_data_outlives_a_stop(folder):
    services.start(folder)
    write_something(folder)

    assert services.stop(folder)

    assert services.urls(folder) is None
    assert not services.stop(folder)
    services.start(folder)
    assert read_it(folder) == "for good"


@pytest.mark.parametrize("waited_for", [True, False], ids=["gone", "zombies"])
def test_killed_servers_are_recognised_and_started_again(folder, waited_for):
    services.start(folder)
    write_something(folder)
    processes = [server.process for server in servers(folder)]
    for process in processes:
        process.kill()
    if waited_for:
        psutil.wait_procs(processes, timeout=10)
    while any(map(is_alive, processes)):
        time.sleep(0.01)

    assert services.urls(folder) is None
    assert services.start(folder)

    assert read_it(folder) == "for good"


def test_one_killed_server_is_started_again_beside_the_other(folder):
    services.start(folder)
    postgres, valkey = servers(folder)
    valkey.process.kill()
    psutil.wait_procs([valkey.process], timeout=10)

    assert services.start(folder)

    assert servers(folder)[0].process.pid == postgres.process.pid


def test_two_starters_start_one_pair(folder):
    with ThreadPoolExecutor(4) as pool:
        started = list(pool.map(services.start, [folder] * 4))

    assert sorted(started) == [False, False, False, True]


def test_a_starter_killed_while_it_makes_the_cluster_does_no_harm(folder):
    half_made = DataFolder.at(folder).postgres_home / "postgres.new"
    half_made.mkdir(parents=True)
    half_made.parent.chmod(0o755)
    (half_made / "PG_VERSION").write_text("18")

    assert services.start(folder)

    assert not half_made.exists()
    assert services.urls(folder)


def test_the_servers_outlive_the_command_that_started_them(folder):
    command = [sys.executable, "-m", "config.services"]
    subprocess.run([*command, "start", "--data", folder], check=True, capture_output=True)

    status = subprocess.run(
        [*command, "status", "--data", folder], check=True, capture_output=True, text=True
    )
    environment = subprocess.run(
        [*command, "env", "--data", folder], check=True, capture_output=True, text=True
    )

    password = DataFolder.at(folder).password
    assert password not in status.stdout
    assert environment.stdout.splitlines() == [
        f"DATABASE_URL={services.urls(folder).database}",
        f"REDIS_URL={services.urls(folder).redis}",
    ]


def test_a_server_asks_for_the_password(folder):
    services.start(folder)
    urls, password = services.urls(folder), DataFolder.at(folder).password

    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(urls.database.replace(password, "guessed"))
    with (
        pytest.raises(redis.AuthenticationError),
        redis.Redis.from_url(urls.redis.replace(password, "")) as client,
    ):
        client.ping()


def test_a_server_that_cannot_start_shows_the_end_of_its_log(folder):
    services.start(folder)
    services.stop(folder)
    (DataFolder.at(folder).postgres_home / "postgres" / "postgresql.auto.conf").write_text(
        "no_such_setting = 1\n"
    )

    with pytest.raises(ServiceError, match="no_such_setting"):
        services.start(folder)


def test_a_missing_package_is_named(folder, monkeypatch):
    monkeypatch.setattr(postgres_server.importlib.util, "find_spec", lambda _: None)

    with pytest.raises(ServiceError, match="DATABASE_URL"):
        services.start(folder)


@AS_ROOT
def test_root_starts_postgres_as_an_unprivileged_user(folder):
    services.start(folder)

    assert servers(folder)[0].process.username() == postgres_server.UNPRIVILEGED_USER


@AS_ROOT
def test_root_finds_another_place_when_that_user_cannot_enter_the_folder(folder, fallback, monkeypatch):
    private = folder / "private"
    private.mkdir(parents=True, mode=0o700)
    data = private / "data"
    monkeypatch.setattr(postgres_server, "reachable", lambda _: False)
    try:
        services.start(data)

        write_something(data)
        assert str(fallback) in " ".join(servers(data)[0].process.cmdline())
    finally:
        services.stop(data)
