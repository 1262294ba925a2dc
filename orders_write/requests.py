"""A command on its way in, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from outbox.tokens import CommandToken, sign

from .commands import Command
from .domain.credit import CreditAccount
from .domain.order import Order
from .domain.product import Product
from .events import CreditNoteRecorded, Event
from .exceptions import WriteError
from .idempotency import Answer, Key

State = Order | Product | CreditAccount | CreditNoteRecorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A command with who asks, when, and under which key.

    `now` becomes the events' `occurred_at`. `expected_versions` and `only_user_id` hold for commands on an order: any
    other version is a VersionConflict, anybody else's order NotFound. `render` makes the answer to store; it runs
    before the commit and must be pure.
    """

    command: Command
    actor: str
    now: datetime
    key: Key | None = None
    expected_versions: tuple[int, ...] | None = None
    only_user_id: int | None = None
    correlation_id: str = ""
    causation_id: str = ""
    traceparent: str = ""
    render: "Callable[[Outcome], Answer] | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a request led to: events and the aggregate after them, or a refusal, or the answer of the first time.

    `message_ids` are in the order of `events`; `head` is the log's newest position when the command ran.
    """

    events: tuple[Event, ...] = ()
    state: State | None = None
    message_ids: tuple[int, ...] = ()
    head: int = 0
    refusal: WriteError | None = None
    answer: Answer | None = None
    replayed: bool = False


def token_of(outcome: Outcome, epoch: UUID) -> str:
    """Sign the consistency token of what a command did."""
    *others, message_id = outcome.message_ids
    return sign(CommandToken(epoch, message_id, outcome.head, tuple(others)))
