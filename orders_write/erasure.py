"""Forget a person: what the write side knows of them at once, what the read models know with the next delivery.

What was bought, paid and returned stays, under the numbers of orders and customer, which name nobody any more. An
order's name and address are erased by a command, so its event tells every read model, also one built again later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.db.models import Q
from rest_framework.authtoken.models import Token

from outbox import actions, persons

from .commands import EraseCustomer
from .handlers import handle_batch
from .models import IdempotencyKey, Order, User
from .requests import Request

ORDERS_AT_ONCE = 50
SESSION_USER = "_auth_user_id"
IS_ERASED = Q(ship_name="", ship_street="", ship_postcode="", ship_city="", ship_email="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """How much is known of a person: orders with a name or address, events, stored answers, sessions."""

    orders: int
    events: int
    answers: int
    sessions: int


def traces_of(user_id: int) -> Traces:
    """Count what would be erased; raises User.DoesNotExist."""
    User.objects.get(pk=user_id)
    return Traces(
        orders=Order.objects.filter(~IS_ERASED, user_id=user_id).count(),
        events=persons.count(user_id),
        answers=len(_answers(user_id)),
        sessions=len(_sessions(user_id)),
    )


def erase_person(user_id: int, *, actor: str, reason: str, now: datetime) -> Traces:
    """Erase a person and say what was erased; raises User.DoesNotExist.

    Runs in transactions of its own, orders in groups; one that was interrupted is finished by a repetition. The account
    goes first, so that nothing new is added meanwhile.
    """
    traces = traces_of(user_id)
    with transaction.atomic():
        _erase_account(user_id)
        actions.record(
            connection,
            actor,
            "person erased",
            f"user:{user_id}",
            reason,
            orders=traces.orders,
            events=traces.events,
            answers=traces.answers,
        )
    while order_ids := _orders(user_id):
        _erase_orders(order_ids, actor, now)
    with transaction.atomic():
        persons.forget(user_id)
        _erase_answers(user_id)
    return traces


def _erase_account(user_id: int) -> None:
    user = User.objects.select_for_update().get(pk=user_id)
    user.username, user.first_name, user.last_name, user.email = f"erased-{user_id}", "", "", ""
    user.is_active = user.is_staff = user.is_superuser = False
    user.set_unusable_password()
    user.save()
    Token.objects.filter(user_id=user_id).delete()
    Session.objects.filter(pk__in=_sessions(user_id)).delete()
    of_users = ContentType.objects.get_for_model(User)
    LogEntry.objects.filter(content_type=of_users, object_id=str(user_id)).update(object_repr=user.username)


def _orders(user_id: int) -> list[int]:
    found = Order.objects.filter(~IS_ERASED, user_id=user_id).order_by("order_id")
    return list(found.values_list("order_id", flat=True)[:ORDERS_AT_ONCE])


def _erase_orders(order_ids: Sequence[int], actor: str, now: datetime) -> None:
    handle_batch(
        [Request(command=EraseCustomer(order_id=order_id), actor=actor, now=now) for order_id in order_ids]
    )


def _answers(user_id: int) -> list[IdempotencyKey]:
    """Find the stored answers that show who gets an order of this user, whoever sent the command; reads all answers."""
    return list(
        IdempotencyKey.objects.filter(
            Q(body__contains=f'"user_id":"{user_id}"') & Q(body__contains='"customer":{')
        )
    )


def _erase_answers(user_id: int) -> None:
    for answer in _answers(user_id):
        body = orjson.loads(answer.body) | {"customer": None}
        IdempotencyKey.objects.filter(scope=answer.scope, key=answer.key).update(
            body=orjson.dumps(body).decode()
        )


def _sessions(user_id: int) -> list[str]:
    """Find the sessions of a user, which may keep forms that were refused; reads all sessions."""
    return [
        session.session_key
        for session in Session.objects.all()
        if session.get_decoded().get(SESSION_USER) == str(user_id)
    ]
