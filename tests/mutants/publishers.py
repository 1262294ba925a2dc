"""Publishers that look right and are not."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
import pytest
from django.db import connection

from outbox.publishers import addresses, breaker, calls, lanes, letters, marks, turns, webhooks
from outbox.publishers.calls import Answer, Endpoint
from outbox.publishers.events import Chunk
from outbox.publishers.turns import Turns

Patch = pytest.MonkeyPatch
Mutant = Callable[[Patch], AbstractContextManager[None] | None]

PARTITION = """
CREATE OR REPLACE FUNCTION outbox_partition(aggregate_type text, aggregate_id bigint, partitions integer)
RETURNS integer {volatility} PARALLEL SAFE LANGUAGE sql
RETURN ((hashtextextended(aggregate_type || ' ' || aggregate_id::text, {seed}) & 9223372036854775807)
        % partitions)::integer
"""


def the_checkpoint_moves_before_the_effect(patch: Patch) -> None:
    def hand_over(self: Turns, position: int, part: Chunk, chunk: Chunk, *, is_trial: bool) -> None:
        marks.mark(self.connection, self.lane, position, part.events[-1].position, self.owner)
        self._advance(position, part.events[-1].position)
        self._publish(part.events)

    patch.setattr(Turns, "_hand_over", hand_over)


def no_lock_is_taken(patch: Patch) -> None:
    patch.setattr(lanes, "TRY_LOCK", "SELECT true, $1::text")


def the_partition_depends_on_the_process(patch: Patch) -> AbstractContextManager[None]:
    @contextmanager
    def mutate() -> Iterator[None]:
        _execute(PARTITION.format(volatility="STABLE", seed="pg_backend_pid()"))
        try:
            yield
        finally:
            _execute(PARTITION.format(volatility="IMMUTABLE", seed="0"))

    return mutate()


def attempts_are_not_marked(patch: Patch) -> None:
    patch.setattr(turns.marks, "mark", lambda *_: None)


def marks_do_not_wait_for_the_disk(patch: Patch) -> None:
    def mark(connection: Any, lane: Any, from_position: int, to_position: int, owner: Any) -> None:
        with connection.transaction():
            connection.execute("SET LOCAL synchronous_commit = off")
            parameters = [lane.name, from_position, to_position, owner]
            psycopg.RawCursor(connection).execute(marks.MARK, parameters)

    patch.setattr(turns.marks, "mark", mark)


def a_refused_event_is_stepped_over(patch: Patch) -> None:
    def park(self: Turns, position: int, event: Any, error: Exception, *, is_trial: bool) -> None:
        self._advance(position, event.position)

    patch.setattr(Turns, "_park", park)


def later_events_do_not_wait_for_a_parked_one(patch: Patch) -> None:
    patch.setattr(
        "outbox.publishers.events.NEXT",
        turns.next_chunk.__globals__["NEXT"].replace("NOT EXISTS", "true OR EXISTS"),
    )


def what_waited_is_forgotten(patch: Patch) -> None:
    events = letters.parked_events
    patch.setattr(letters, "parked_events", lambda *given: events(*given)[:1])


def the_breaker_never_opens(patch: Patch) -> None:
    patch.setattr(breaker, "trip", lambda *_, **__: None)


def every_failure_is_the_endpoints(patch: Patch) -> None:
    patch.setattr(Turns, "_takes_another", lambda *_: False)


def everybody_may_try(patch: Patch) -> None:
    claim = breaker.CLAIM_TRIAL.replace("AND next_attempt_at <= clock_timestamp()", "")
    patch.setattr(breaker, "CLAIM_TRIAL", claim)


def the_name_is_checked_and_not_the_address(patch: Patch) -> None:
    def allowed(host: str, port: int, timeout_seconds: float, *, plain: bool) -> list[str]:
        addresses.allowed_addresses(host, port, timeout_seconds, plain=plain)
        return [host]

    patch.setattr(calls, "allowed_addresses", allowed)


def an_address_is_believed_as_it_is_written(patch: Patch) -> None:
    patch.setattr(addresses, "_embedded", lambda address: address)
    patch.setattr(addresses, "_is_public", lambda address: not address.is_private)


def redirects_are_followed(patch: Patch) -> None:
    def post(self: Endpoint, body: bytes, headers: Mapping[str, str]) -> Answer:
        answer = original(self, body, headers)
        if 300 <= answer.status < 400:
            following = Endpoint(LOCATIONS[-1])
            answer = original(following, body, headers)
            following.close()
        return answer

    def read(self: Endpoint, connection: Any) -> tuple[Answer, bool]:
        response = connection.getresponse()
        LOCATIONS.append(response.headers.get("Location", ""))
        response.read()
        return Answer(response.status, ""), False

    original = Endpoint.post
    patch.setattr(Endpoint, "post", post)
    patch.setattr(Endpoint, "_read", read)


LOCATIONS: list[str] = []


def a_repetition_is_not_signed(patch: Patch) -> None:
    def headers(event_id: str, sent_at: int, body: bytes, keys: Sequence[str]) -> dict[str, str]:
        signed = original(event_id, sent_at, body, keys)
        if event_id in sent:
            signed["webhook-signature"] = "v1,"
        sent.add(event_id)
        return signed

    sent: set[str] = set()
    original = webhooks.headers
    patch.setattr(webhooks, "headers", headers)


def only_the_new_secret_signs(patch: Patch) -> None:
    original = webhooks.headers
    patch.setattr(webhooks, "headers", lambda *given: original(*given[:3], given[3][:1]))


def gone_is_a_refusal_like_any_other(patch: Patch) -> None:
    original = webhooks.judge
    patch.setattr(
        webhooks, "judge", lambda answer: original(Answer(400, "") if answer.status == 410 else answer)
    )


def a_pause_is_not_respected(patch: Patch) -> None:
    patch.setattr(lanes, "LANES", lanes.LANES.replace("paused.subscriber = publisher.subscriber", "false"))


def whoever_trickles_is_waited_for(patch: Patch) -> None:
    original = calls._cut_at
    patch.setattr(calls, "_cut_at", lambda sock, ends_at: original(sock, ends_at + 4))


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
