"""Tests of how a data folder keeps its secrets and recognises its servers."""

import os
import stat

import psutil

from config.data_folder import find_server, secret


def test_a_secret_is_made_once_and_only_its_owner_can_read_it(tmp_path):
    path = tmp_path / "folder" / "secret"

    first, second = secret(path), secret(path)

    assert first == second
    assert len(first) >= 50
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_process_that_took_over_the_pid_is_not_the_server():
    pid = str(os.getpid())
    name = psutil.Process().cmdline()[0]

    assert find_server(pid, "1", name)
    assert find_server(pid, "1", "--another-program") is None


def test_a_pid_that_is_free_is_no_server():
    assert find_server("4000000", "1", "") is None
    assert find_server("", "1", "") is None
