"""Heart-beats that look right and are not."""

from typing import Any

import psycopg

from outbox.heartbeats import Heartbeat


class RestlessHeartbeat(Heartbeat):
    """Writes whenever it is asked."""

    def beat(self, connection: psycopg.Connection[Any]) -> None:
        self._beat_at = None
        super().beat(connection)
