"""The admin's actions: each asks on a page of its own for what a command needs, then runs it for every chosen row."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone

from outbox.epoch import current_epoch

from .commands import (
    CancelOrder,
    Command,
    DeliverOrder,
    RepriceProduct,
    RestockProduct,
    RetireProduct,
    SetCreditLimit,
    ShipOrder,
)
from .exceptions import NotFound
from .forms import LARGEST_QTY, CancelForm, DeliverForm, ShipForm
from .handlers import handle
from .requests import Outcome, Request, token_of
from .token_cookie import keep_token

Action = Callable[[Any, HttpRequest, QuerySet[Any]], HttpResponse | None]


class PriceForm(forms.Form):
    """What a product costs from now on."""

    price = forms.DecimalField(max_digits=14, decimal_places=4)


class PiecesForm(forms.Form):
    """How many pieces came in."""

    qty = forms.IntegerField(label="Pieces to add", max_value=LARGEST_QTY)


class LimitForm(forms.Form):
    """How much may be bought on credit."""

    limit = forms.DecimalField(label="Credit limit", max_digits=14, decimal_places=4)


def action(
    name: str,
    description: str,
    form: type[forms.Form],
    command: type[Any],
    names: Callable[[Any], dict[str, Any]],
) -> Action:
    """Make an action: it shows a form, then builds the command from what it says and from what `names` a row."""

    @admin.action(description=description, permissions=["command"])
    def run(model_admin: Any, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        filled = form(request.POST if "run" in request.POST else None)
        if not filled.is_valid():
            return _ask(model_admin, request, rows, name, filled)
        outcomes = [
            _run(request, row, command(**names(row), **filled.cleaned_data)) for row in rows.order_by("pk")
        ]
        done = [outcome for outcome in outcomes if outcome is not None]
        if not done:
            return None
        messages.success(request, f"{description}: done for {len(done)}.")
        response = redirect(request.get_full_path())
        keep_token(response, token_of(done[-1], current_epoch()))
        return response

    run.__name__ = name
    return run


def _ask(
    model_admin: Any, request: HttpRequest, rows: QuerySet[Any], name: str, form: forms.Form
) -> TemplateResponse:
    """Show the form, with the chosen rows and the action's name to come back with."""
    context = {
        **model_admin.admin_site.each_context(request),
        "title": model_admin.get_actions(request)[name][2],
        "opts": model_admin.opts,
        "form": form,
        "rows": rows,
        "action": name,
        "checkbox": ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, "admin/command.html", context)


def _run(request: HttpRequest, row: Model, command: Command) -> Outcome | None:
    """Run one command; tell a refusal, or return what it led to."""
    try:
        outcome = handle(Request(command=command, actor=f"user:{request.user.pk}", now=timezone.now()))
    except NotFound as error:
        messages.error(request, f"{row}: {error.message}")
        return None
    if outcome.refusal is not None:
        messages.error(request, f"{row}: {outcome.refusal.message}")
        return None
    return outcome


def _order(row: Any) -> dict[str, Any]:
    return {"order_id": row.order_id}


def _product(row: Any) -> dict[str, Any]:
    return {"sku": row.sku}


def _user(row: Any) -> dict[str, Any]:
    return {"user_id": row.pk}


ship = action("ship", "Ship the chosen orders", ShipForm, ShipOrder, _order)
deliver = action("deliver", "Mark the chosen orders as delivered", DeliverForm, DeliverOrder, _order)
cancel = action("cancel", "Cancel the chosen orders", CancelForm, CancelOrder, _order)
reprice = action("reprice", "Set the price of the chosen products", PriceForm, RepriceProduct, _product)
restock = action("restock", "Restock the chosen products", PiecesForm, RestockProduct, _product)
retire = action("retire", "Stop selling the chosen products", forms.Form, RetireProduct, _product)
set_limit = action("set_limit", "Set the credit limit of the chosen users", LimitForm, SetCreditLimit, _user)
