"""The errors of the outbox.

OutboxError
├── OutsideTransaction   append was called with no transaction open
├── InsideTransaction    delivery was called within a transaction
├── PooledConnection     a worker was given a pooler instead of the server
├── StaleCheckpoint      another worker has moved the checkpoint, or dropped the generation
├── TooManyParked        a subscriber fails at so many aggregates that the fault is hardly an event's
└── InvalidToken         a consistency token that this system did not sign
"""


class OutboxError(Exception):
    """Something is wrong with the way of a message."""

    def __init__(self, **details: object) -> None:
        self.details = details
        super().__init__(type(self).__doc__)


class OutsideTransaction(OutboxError):
    """A message may only be appended within the transaction that makes its fact true."""


class InsideTransaction(OutboxError):
    """Delivery runs transactions of its own and cannot run within another."""


class PooledConnection(OutboxError):
    """Workers need a direct connection to PostgreSQL: name the server in DATABASE_URL, not a pooler."""


class StaleCheckpoint(OutboxError):
    """The checkpoint was moved, or the generation dropped, by another worker; what this one folded is undone."""


class TooManyParked(OutboxError):
    """The subscriber fails at too many aggregates: it stops, as the fault is hardly that of single events."""


class InvalidToken(OutboxError):
    """This is not a consistency token of this system."""
