"""The pages that act: each takes a form, runs a command and redirects to a page that shows (`orders_read.pages`).

A form carries a key of its own, so sending it twice has one effect. A form that is refused is kept as a draft, and
its page shows it again with the error where it belongs.
"""

import hashlib
import json
import time
from functools import partial
from urllib.parse import urlencode
from uuid import UUID, uuid4

import orjson
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from outbox.epoch import current_epoch
from outbox.tokens import renewed

from . import drafts
from .commands import Command, PlaceOrder
from .domain.order import Order
from .drafts import Draft
from .exceptions import KeyReused, NotFound, StillRunning
from .fields import LARGEST_ID
from .forms import (
    LONGEST_QTY,
    LONGEST_SKU,
    MOST_LINES,
    AddressForm,
    CancelForm,
    DeliverForm,
    OrderCommandForm,
    PayForm,
    ShipForm,
    StaffAddressForm,
    is_quantity,
    lines_of,
    order_lines,
    typed,
    typed_values,
    with_line,
)
from .handlers import handle
from .idempotency import Answer, Key
from .permissions import may_change_orders
from .requests import Outcome, Request, token_of
from .token_cookie import keep_token

LONGEST_KEY = 200
LONGEST_SEARCH = 200
TWIN_WAIT_SECONDS = 3.0
TWIN_POLL_SECONDS = 0.05
TOO_MANY_LINES = f"An order on this page has at most {MOST_LINES} lines."
ALREADY_SENT = "This form was sent before, with other input. Look at it again, and send it once more."
DONE = {
    "place": "Thank you, the order is placed.",
    "pay": "The payment is booked.",
    "ship": "The order is shipped.",
    "deliver": "The order is delivered.",
    "cancel": "The order is cancelled.",
}


@login_required
@require_POST
def draft_order(request: HttpRequest) -> HttpResponse:
    """Change the order that is being put together: add, change or remove a line, or look for a product."""
    draft = _draft(request) if "key" in request.POST else drafts.draft_of(request, "place")
    _change_lines(draft, request)
    if len(draft["lines"]) > MOST_LINES:
        messages.error(request, TOO_MANY_LINES)
    drafts.keep(request, "place", draft)
    q = typed(request.POST.get("q", ""), LONGEST_SEARCH)
    query, place = (f"?{urlencode({'q': q})}", "#add") if q else ("", "")
    return redirect(f"{reverse('new_order')}{query}{place}")


def _draft(request: HttpRequest) -> Draft:
    """Read the whole form of a new order."""
    values = typed_values(_address_form(request), request.POST)
    return {"lines": lines_of(request.POST), "values": values, "errors": {}}


def _address_form(request: HttpRequest) -> type[AddressForm]:
    return StaffAddressForm if may_change_orders(request.user) else AddressForm


def _change_lines(draft: Draft, request: HttpRequest) -> None:
    """Do what the pressed button says."""
    removed = typed(request.POST.get("remove", ""), LONGEST_QTY)
    added, new = (typed(request.POST.get(name, ""), LONGEST_SKU) for name in ("add", "new_sku"))
    if is_quantity(removed):
        draft["lines"] = [line for index, line in enumerate(draft["lines"]) if index != int(removed)]
    if new:
        new_qty = typed(request.POST.get("new_qty", ""), LONGEST_QTY)
        draft["lines"] = with_line(draft["lines"], new, new_qty)
    if added:
        draft["lines"] = with_line(draft["lines"], added, "1")
        messages.success(request, f"{added} is on your order.")


@login_required
@require_POST
def place_order(request: HttpRequest) -> HttpResponse:
    """Place the order; its page waits for it to be seen there."""
    draft = _draft(request)
    _change_lines(draft, request)
    if len(draft["lines"]) > MOST_LINES:
        return _refused(request, "place", draft, TOO_MANY_LINES)
    form = _address_form(request)(draft["values"])
    lines = order_lines(draft["lines"])
    draft["errors"] = {name: str(errors[0]) for name, errors in form.errors.items()}
    if draft["errors"] or any("error" in line for line in draft["lines"]):
        return _refused(request, "place", draft, "The order is not placed yet. Correct what is marked.")
    command = PlaceOrder(
        user_id=form.buyer_id if isinstance(form, StaffAddressForm) else request.user.pk,
        lines=lines,
        address=form.address(),
        address_required=not isinstance(form, StaffAddressForm),
    )
    return _carry_out(request, command, "place", draft)


@login_required
@require_POST
def pay_order(request: HttpRequest, order_id: int) -> HttpResponse:
    """Book a payment."""
    return _change_order(request, order_id, "pay", PayForm)


@login_required
@require_POST
def cancel_order(request: HttpRequest, order_id: int) -> HttpResponse:
    """Undo an order."""
    return _change_order(request, order_id, "cancel", CancelForm)


@login_required
@require_POST
def ship_order(request: HttpRequest, order_id: int) -> HttpResponse:
    """Record that the goods left."""
    _require_permission(request)
    return _change_order(request, order_id, "ship", ShipForm)


@login_required
@require_POST
def deliver_order(request: HttpRequest, order_id: int) -> HttpResponse:
    """Record that the goods arrived."""
    _require_permission(request)
    return _change_order(request, order_id, "deliver", DeliverForm)


def _require_permission(request: HttpRequest) -> None:
    if not may_change_orders(request.user):
        raise PermissionDenied("Only staff who may change orders ship and deliver.")


def _change_order(
    request: HttpRequest, order_id: int, name: str, kind: type[OrderCommandForm]
) -> HttpResponse:
    """Run a command upon one order from the form on its page."""
    values = typed_values(kind, request.POST)
    form = kind(values)
    draft: Draft = {"order_id": str(order_id), "lines": [], "values": values, "errors": {}}
    if not form.is_valid():
        draft["errors"] = {field: str(errors[0]) for field, errors in form.errors.items()}
        return _refused(request, name, draft, "Correct what is marked.")
    return _carry_out(request, form.command(_known(order_id), _key_value(request)), name, draft)


def _known(order_id: int) -> int:
    """Refuse a number that no order can have."""
    if order_id > LARGEST_ID:
        raise Http404("There is no such order.")
    return order_id


def _carry_out(request: HttpRequest, command: Command, form: str, draft: Draft) -> HttpResponse:
    """Run a command and redirect: to the order, which its page waits for, or to the form with what refused it."""
    epoch = current_epoch()
    key = Key(f"page:{request.user.pk}:{request.path}", _key_value(request), _fingerprint(request))
    asked = Request(
        command=command,
        actor=f"user:{request.user.pk}",
        now=timezone.now(),
        key=key,
        only_user_id=None if may_change_orders(request.user) else request.user.pk,
        render=partial(_answer, epoch),
    )
    try:
        answer = _first_answer(asked)
    except NotFound as error:
        raise Http404(error.message) from error
    except (KeyReused, StillRunning) as error:
        return _refused(request, form, draft, ALREADY_SENT if isinstance(error, KeyReused) else error.message)
    told = orjson.loads(answer.body)
    if "rule" in told:
        draft["errors"] = drafts.errors_of(told["rule"], told["message"], told["details"], draft["lines"])
        return _refused(request, form, draft, told["message"])
    drafts.drop(request, form)
    messages.success(request, DONE[form])
    response = redirect("order_page", told["order_id"])
    if "token" in told:  # an answer of an older release has none
        keep_token(response, renewed(told["token"], epoch))
    return response


def _first_answer(asked: Request) -> Answer:
    """Run it; while the same form, sent a moment ago, still runs, wait for that one's answer."""
    deadline = time.monotonic() + TWIN_WAIT_SECONDS
    while True:
        try:
            answer = handle(asked).answer
        except StillRunning:
            if time.monotonic() > deadline:
                raise
            time.sleep(TWIN_POLL_SECONDS)
        else:
            assert answer is not None
            return answer


def _answer(epoch: UUID, outcome: Outcome) -> Answer:
    """Tell what became of the command, as it is kept under the form's key."""
    if outcome.refusal is not None:
        told = {
            "rule": outcome.refusal.code,
            "message": outcome.refusal.message,
            "details": outcome.refusal.details,
        }
        return Answer(status=422, body=orjson.dumps(told, default=str).decode())
    assert isinstance(outcome.state, Order)
    seen = {"order_id": str(outcome.state.order_id), "token": token_of(outcome, epoch)}
    return Answer(status=303, body=orjson.dumps(seen).decode())


def _refused(request: HttpRequest, form: str, draft: Draft, message: str) -> HttpResponse:
    """Keep the input and go back to the form."""
    drafts.keep(request, form, draft)
    messages.error(request, message)
    page = reverse("new_order") if form == "place" else reverse("order_page", args=[draft["order_id"]])
    return redirect(f"{page}?refused={form}")


def _key_value(request: HttpRequest) -> str:
    """Return the form's own key; a form without one is never taken for another."""
    return typed(request.POST.get("key", ""), LONGEST_KEY) or str(uuid4())


def _fingerprint(request: HttpRequest) -> bytes:
    sent = sorted((name, values) for name, values in request.POST.lists() if name != "csrfmiddlewaretoken")
    return hashlib.sha256(json.dumps(sent).encode()).digest()
