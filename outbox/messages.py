"""The envelope in which an event travels: what the outbox stores and the event log keeps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalData:
    """What an event says about a person; kept apart from the payload, so that it can be erased.

    `subject_id` is the person's key, None for a guest; `data` is any JSON object.
    """

    subject_id: int | None
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """Who caused an event and in which conversation.

    `actor` is `kind:key` (`user:17`, `import:online_retail`); `correlation_id` names the request, `causation_id` the
    message that led to the command, `traceparent` the W3C trace.
    """

    actor: str
    correlation_id: str = ""
    causation_id: str = ""
    traceparent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One event on its way: identity, place in its aggregate, payload as JSON text.

    `payload` is JSON text in which money is a string of four decimals and every id is a string. `occurred_at` is when
    it happened in the world; the database adds when we learnt it.
    """

    event_id: UUID
    event_type: str
    schema_version: int
    aggregate_type: str
    aggregate_id: int
    aggregate_version: int
    payload: str
    metadata: Metadata
    occurred_at: datetime
    personal: PersonalData | None = field(default=None)
