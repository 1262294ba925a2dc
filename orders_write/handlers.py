"""One handler per command: load, decide, save. No rule stands here.

`handle_batch` runs many commands in one transaction of four round trips: BEGIN with the claim and all locks, the
messages, the rows, COMMIT. `handle` is a batch of one.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import singledispatch
from typing import Any

import psycopg
from django.db import DatabaseError, connection, transaction
from psycopg import errors

from .commands import (
    CancelOrder,
    ChargePayment,
    DeliverOrder,
    EraseCustomer,
    ListProduct,
    PlaceOrder,
    RecordCreditNote,
    RepriceProduct,
    RestockProduct,
    RetireProduct,
    SetCreditLimit,
    ShipOrder,
)
from .domain import credit, order, product
from .domain.credit_note import names_order, record_credit_note, returned_by_order
from .events import Event
from .exceptions import NotFound, ReferenceUsed, Refusal, VersionConflict
from .idempotency import Answer, Key
from .loading import load
from .needs import needs_of
from .repository import Repository
from .requests import Outcome, Request, State
from .saving import save

ATTEMPTS = 5

# A race that the locks cannot prevent: two commands that create the same key. The next attempt sees the other's row.
RACES = (errors.UniqueViolation, errors.DeadlockDetected, errors.SerializationFailure)

Decision = tuple[State, tuple[Event, ...]]


def handle(request: Request) -> Outcome:
    """Carry out one command in a transaction of its own.

    A Refusal is returned, and stored as the answer under the request's key. Raises NotFound, VersionConflict,
    StillRunning and KeyReused; then nothing is stored.
    """
    (outcome,) = handle_batch([request])
    if outcome.refusal is not None and not isinstance(outcome.refusal, Refusal):
        raise outcome.refusal
    return outcome


def handle_batch(requests: Sequence[Request]) -> list[Outcome]:
    """Carry out commands in order, in one transaction; NotFound and VersionConflict are among the refusals.

    The requests' keys must differ. Raises StillRunning and KeyReused for the batch as a whole. Inside a transaction
    of the caller's, a lost race is the caller's to repeat.
    """
    attempts = 1 if connection.in_atomic_block else ATTEMPTS
    for attempt in range(1, attempts + 1):
        try:
            return _run(requests)
        except (psycopg.Error, DatabaseError) as error:
            if attempt == attempts or not isinstance(error.__cause__ or error, RACES):
                raise
    raise AssertionError("the last attempt returns or raises")


def _run(requests: Sequence[Request]) -> list[Outcome]:
    keys = [request.key for request in requests if request.key is not None]
    with transaction.atomic():
        repository = Repository(load(needs_of(request.command for request in requests), keys))
        decided = [_outcome(request, repository) for request in requests]
        outcomes = _answered(requests, decided, repository.append())
        save(repository, _new_answers(requests, outcomes))
    return outcomes


def _outcome(request: Request, repository: Repository) -> Outcome:
    """Decide one request upon what the ones before it left."""
    if request.key in repository.loaded.answers:
        return Outcome(answer=repository.loaded.answers[request.key], replayed=True)
    try:
        state, events = _handler(request.command, request, repository)
    except (Refusal, NotFound, VersionConflict) as refusal:
        return Outcome(refusal=refusal, head=repository.loaded.head)
    return Outcome(state=state, events=events, head=repository.loaded.head)


def _answered(
    requests: Sequence[Request], decided: Sequence[Outcome], message_ids: Sequence[int]
) -> list[Outcome]:
    """Complete the outcomes with their messages' identities and answers; only new ones and rules' refusals have any."""
    identities = iter(message_ids)
    outcomes = []
    for request, bare in zip(requests, decided, strict=True):
        outcome = replace(bare, message_ids=tuple(next(identities) for _ in bare.events))
        if not outcome.replayed and isinstance(outcome.refusal, Refusal | None):
            answer = (
                request.render(outcome) if request.render else Answer(status=422 if outcome.refusal else 200)
            )
            outcome = replace(outcome, answer=answer)
        outcomes.append(outcome)
    return outcomes


def _new_answers(requests: Sequence[Request], outcomes: Sequence[Outcome]) -> list[tuple[Key, Answer]]:
    return [
        (request.key, outcome.answer)
        for request, outcome in zip(requests, outcomes, strict=True)
        if request.key is not None and outcome.answer is not None and not outcome.replayed
    ]


@singledispatch
def _handler(command: Any, request: Request, repository: Repository) -> Decision:
    raise TypeError(f"no handler for {type(command).__name__}")


@_handler.register
def _place_order(command: PlaceOrder, request: Request, repository: Repository) -> Decision:
    if (command.source, command.reference) in repository.loaded.order_references:
        raise ReferenceUsed(reference=command.reference)
    buyer = repository.buyer(command.user_id)
    event = order.place_order(
        command, repository.loaded.order_ids.popleft(), buyer, repository.loaded.products
    )
    return repository.save_order(request, event, None, command.address), (event,)


@_handler.register(ChargePayment)
@_handler.register(ShipOrder)
@_handler.register(DeliverOrder)
@_handler.register(CancelOrder)
@_handler.register(EraseCustomer)
def _change_order(command: Any, request: Request, repository: Repository) -> Decision:
    before = repository.order(command.order_id, request.only_user_id)
    expected = request.expected_versions
    if expected is not None and before.version not in expected:
        told = {"expected": expected[0]} if len(expected) == 1 else {}
        raise VersionConflict(version=before.version, **told)
    event = order.decide(before, command, repository.loaded.payment_references)
    return repository.save_order(request, event, before), (event,)


@_handler.register
def _record_credit_note(command: RecordCreditNote, request: Request, repository: Repository) -> Decision:
    if (command.source, command.reference) in repository.loaded.credit_note_references:
        raise ReferenceUsed(reference=command.reference)
    named = {line: repository.order_of(line, command.source) for line in filter(names_order, command.lines)}
    orders = {line: found for line, found in named.items() if found is not None}
    customer_number = repository.customer_number(command.user_id)
    credit_note_id = repository.loaded.credit_note_ids.popleft()
    event = record_credit_note(command, credit_note_id, customer_number, repository.loaded.products, orders)
    repository.save_credit_note(request, event)
    events: list[Event] = [event]
    for order_id, returned in returned_by_order(event).items():
        before = repository.order(order_id, None)
        returned_items = order.return_items(before, credit_note_id, returned)
        repository.save_order(request, returned_items, before)
        events.append(returned_items)
    return event, tuple(events)


@_handler.register
def _list_product(command: ListProduct, request: Request, repository: Repository) -> Decision:
    existing = repository.loaded.products.get(command.sku)
    event = product.list_product(command, repository.loaded.product_ids.popleft(), existing)
    return repository.save_product(request, event, None), (event,)


@_handler.register(RepriceProduct)
@_handler.register(RestockProduct)
@_handler.register(RetireProduct)
def _change_product(command: Any, request: Request, repository: Repository) -> Decision:
    before = repository.product(command.sku)
    event = product.decide(before, command)
    return repository.save_product(request, event, before), (event,)


@_handler.register
def _set_credit_limit(command: SetCreditLimit, request: Request, repository: Repository) -> Decision:
    repository.customer_number(command.user_id)
    before = repository.loaded.accounts.get(command.user_id) or credit.unopened(command.user_id)
    event = credit.decide(before, command)
    return repository.save_account(request, event, before), (event,)
