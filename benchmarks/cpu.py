"""Processor time: what is left to compare by when other work goes on at the same machine."""

import os

import psutil
from django.db import connection


class Spent:
    """Counts the processor time of the server and of the processes that this one starts, from now on."""

    def __init__(self) -> None:
        self._server = _server()
        self._server_before, self._children_before = self._server_now(), _children_now()

    def server_seconds(self) -> float:
        """Return what the server spent; connections that still stand are counted, and those that ended meanwhile."""
        return self._server_now() - self._server_before

    def all_seconds(self) -> float:
        """Return what the server spent and what children spent that have ended and were waited for."""
        return self.server_seconds() + _children_now() - self._children_before

    def _server_now(self) -> float:
        ended = self._server.cpu_times()
        running = [process.cpu_times() for process in (self._server, *self._server.children())]
        return float(
            ended.children_user + ended.children_system + sum(one.user + one.system for one in running)
        )


def _server() -> psutil.Process:
    """Find the server's first process, the parent of all others."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend: int = cursor.fetchone()[0]
    parent = psutil.Process(backend).parent()
    assert parent is not None
    return parent


def _children_now() -> float:
    times = os.times()
    return times.children_user + times.children_system
