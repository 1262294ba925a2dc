"""Count round trips to PostgreSQL by listening between: each time the client speaks after the server has."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from django.db import connection


@dataclass
class RoundTrips:
    """How often the client waited for an answer."""

    count: int = 0
    client_spoke_last: bool = field(default=False)

    def heard(self, *, client: bool) -> None:
        """Take note of who spoke."""
        if client and not self.client_spoke_last:
            self.count += 1
        self.client_spoke_last = client


@contextmanager
def counted_round_trips() -> Iterator[RoundTrips]:
    """Lead Django's connection through a proxy that counts; connecting is not counted."""
    trips = RoundTrips()
    server = (connection.settings_dict["HOST"], connection.settings_dict["PORT"])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = threading.Thread(target=_serve, args=(listener, server, trips))
        proxy.start()
        connection.close()
        connection.settings_dict["HOST"], connection.settings_dict["PORT"] = listener.getsockname()
        try:
            connection.ensure_connection()
            trips.count = 0
            yield trips
        finally:
            connection.close()
            connection.settings_dict["HOST"], connection.settings_dict["PORT"] = server
            proxy.join(10)


def _serve(listener: socket.socket, server: tuple[str, int], trips: RoundTrips) -> None:
    client, _ = listener.accept()
    with client, socket.create_connection(server) as upstream:
        requests = threading.Thread(target=_pump, args=(client, upstream, trips, True))
        requests.start()
        _pump(upstream, client, trips, False)
        requests.join(10)


def _pump(source: socket.socket, target: socket.socket, trips: RoundTrips, client: bool) -> None:  # noqa: FBT001
    with suppress(OSError):
        while data := source.recv(65536):
            trips.heard(client=client)
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
