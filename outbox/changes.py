"""Tell workers that what delivery has to do has changed, though no message was written."""

from django.db import connection, transaction

from . import bell

MOVE = "SELECT nextval('delivery_changes')"


def announce() -> None:
    """Say so as soon as the transaction of Django's connection is committed, or at once when there is none.

    A sequence does not wait for the commit: moved within the transaction, it might be read by a worker that cannot see
    the change yet, and that would find nothing new afterwards. Should this process die in between, workers come upon
    the change by themselves, within seconds.
    """
    transaction.on_commit(_announce, robust=True)


def _announce() -> None:
    with connection.cursor() as cursor:
        cursor.execute(MOVE)
    bell.ring()
