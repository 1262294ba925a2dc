"""The errors of the outbox.

OutboxError
├── OutsideTransaction   append was called with no transaction open
├── InsideTransaction    delivery was called within a transaction
├── PooledConnection     a worker was given a pooler instead of the server
├── StaleCheckpoint      another worker has moved the checkpoint, or dropped the generation
├── UnknownSubscribers   a name that no projection or publisher has
├── TooManyParked        a subscriber fails at so many aggregates that the fault is hardly an event's
├── LogIsPruned          the log does not reach back as far as somebody wants to read it
├── LogIsRead            somebody reads the log for so long that a partition cannot be detached or attached
├── ForeignRows          a table is to become a partition and does not hold exactly the events of its positions
├── RetentionAtWork      the log is being pruned already, or about to be read whole
├── TablesAreLocked      somebody keeps a look at the tables of delivery waiting
├── InvalidToken         a consistency token that this system did not sign
│   ├── ForeignToken         it belongs to another history of the log
│   └── FutureToken          it tells of what has not happened
└── PublishingFailed     a subscriber outside the database did not take an event
    ├── EventRefused           it takes others, but not this one
    ├── UnknownEvent           no code of today knows the event's type or schema version
    ├── ProcessEnded           the process died over it, more than once
    ├── SubscriberUnavailable  it takes none at the moment
    └── SubscriberGone         it wants none any more
"""

from typing import cast


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


class UnknownSubscribers(OutboxError):
    """No projection or publisher has this name."""

    @property
    def told(self) -> str:
        """Tell which names are not known, and which are."""
        unknown, known = (", ".join(cast("list[str]", self.details[key])) for key in ("unknown", "known"))
        return f"No projection or publisher is named {unknown}; known are: {known or 'none'}."


class TooManyParked(OutboxError):
    """The subscriber fails at too many aggregates: it stops, as the fault is hardly that of single events."""


class TablesAreLocked(OutboxError):
    """Somebody holds a lock on the tables of delivery: nobody can see how it does. `manage.py doctor` says who."""


class InvalidToken(OutboxError):
    """This is not a consistency token of this system."""


class ForeignToken(InvalidToken):
    """This consistency token is of another history of the event log, before a restore or a fail-over: drop it."""


class FutureToken(InvalidToken):
    """This consistency token tells of what has not happened here: drop it."""


class PublishingFailed(OutboxError):
    """A subscriber outside the database did not take an event."""

    def __init__(self, reason: str = "", **details: object) -> None:
        super().__init__(**details)
        self.reason = reason or str(type(self).__doc__)

    def __str__(self) -> str:
        return self.reason


class EventRefused(PublishingFailed):
    """The subscriber does not take this event."""


class UnknownEvent(PublishingFailed):
    """No code of today knows the type or the schema version of this event."""


class ProcessEnded(PublishingFailed):
    """The process ended while it handed over this event."""


class SubscriberUnavailable(PublishingFailed):
    """The subscriber takes no events at the moment.

    `may_be_the_event` tells that another event might be taken; `retry_after_seconds` is what the subscriber asked for.
    """

    def __init__(
        self, reason: str = "", *, may_be_the_event: bool = False, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(reason)
        self.may_be_the_event = may_be_the_event
        self.retry_after_seconds = retry_after_seconds


class SubscriberGone(PublishingFailed):
    """The subscriber wants no events any more."""


class LogIsPruned(OutboxError):
    """The log does not hold all events any more: attach its partitions again first (manage.py attach_events)."""


class LogIsRead(OutboxError):
    """The log is being read for too long (manage.py doctor names who); the next run goes on from here."""


class ForeignRows(OutboxError):
    """This table does not hold exactly the events of the positions that its CHECK names."""


class RetentionAtWork(OutboxError):
    """The log is being pruned by somebody else, or a rebuild is about to read all of it; try again later."""
