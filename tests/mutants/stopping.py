"""Ends that look right and do not come."""

from outbox.connection import connect
from outbox.stopping import Stopping

CANCEL = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"


class TrustingStopping(Stopping):
    """Tells everybody to end, and leaves it to them."""

    def _guard(self) -> None:
        if self._asked.get():
            self.event.set()


def cancel_statements() -> None:
    """Cancel what is at work, and leave its session to go on."""
    with connect("cancelling") as connection:
        connection.execute(CANCEL)
