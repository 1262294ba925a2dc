"""Tests of how a server's process is found again."""

import os

import psutil

from config.server_process import find


def test_a_process_that_took_over_the_pid_is_not_the_server():
    pid = str(os.getpid())
    name = psutil.Process().cmdline()[0]

    assert find(pid, "1", name)
    assert find(pid, "1", "--another-program") is None


def test_a_pid_that_is_free_is_no_server():
    assert find("4000000", "1", "") is None
    assert find("", "1", "") is None
