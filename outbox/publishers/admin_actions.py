"""What operators do with webhook endpoints in the admin, each on a page that asks first."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from .. import actions
from ..admin_actions import ReasonForm
from ..models import LoggedEvent
from . import endpoints
from .forms import ReplayForm, RotateForm
from .models import WebhookDelivery, WebhookEndpoint
from .webhooks import Note

Act = Callable[[HttpRequest, Any, dict[str, Any]], None]
Impact = Callable[[QuerySet[Any], forms.Form], str]
SECRETS_TOLD = "Give it to whoever receives the webhooks, over a safe channel, and to nobody else."


def action(
    name: str,
    description: str,
    act: Act,
    form: type[forms.Form] = forms.Form,
    impact: Impact = lambda *_: "",
    permission: str = "change",
) -> Any:
    """Make an action: it shows a form and what it will touch, then acts on every chosen row."""

    @admin.action(description=description, permissions=[permission])
    def run(model_admin: Any, request: HttpRequest, rows: QuerySet[Any]) -> TemplateResponse | None:
        filled = form(request.POST if "run" in request.POST else None)
        told = impact(rows, filled) if filled.is_valid() else ""
        if not filled.is_valid() or (told and request.POST.get("told") != told):
            return _ask(model_admin, request, rows, name, filled, told)
        for row in rows.order_by("pk"):
            try:
                act(request, row, filled.cleaned_data)
            except ValueError as refusal:
                messages.error(request, f"{row.subscriber}: {refusal}")
        return None

    run.__name__ = name
    return run


def _ask(
    model_admin: Any, request: HttpRequest, rows: QuerySet[Any], name: str, form: forms.Form, told: str
) -> TemplateResponse:
    context = {
        **model_admin.admin_site.each_context(request),
        "title": model_admin.get_actions(request)[name][2],
        "impact": told,
        "opts": model_admin.opts,
        "form": form,
        "rows": rows,
        "action": name,
        "checkbox": ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, "admin/command.html", context)


def actor(request: HttpRequest) -> str:
    """Name the user as the record of operators' actions does."""
    return f"user:{request.user.pk}"


def secrets_page(
    model_admin: Any, request: HttpRequest, title: str, rows: list[tuple[str, str]]
) -> TemplateResponse:
    """Show secrets, on this page only: a message would travel in a cookie."""
    context = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "told": SECRETS_TOLD,
        "opts": model_admin.opts,
        "secrets": rows,
    }
    return TemplateResponse(request, "admin/outbox/webhook_secrets.html", context)


@admin.action(description="Show the secrets of the chosen endpoints", permissions=["reveal"])
def reveal(model_admin: Any, request: HttpRequest, rows: QuerySet[WebhookEndpoint]) -> TemplateResponse:
    """Show secrets, and record that they were shown."""
    found = [(row.subscriber, row.secret) for row in rows.order_by("pk")]
    for name, _ in found:
        actions.record(connection, actor(request), "reveal_webhook_secret", name)
    return secrets_page(model_admin, request, "Secrets", found)


@admin.action(description="Give the chosen endpoints new secrets", permissions=["change"])
def rotate(model_admin: Any, request: HttpRequest, rows: QuerySet[WebhookEndpoint]) -> TemplateResponse:
    """Ask how long the old secrets stay good, then show the new ones."""
    form = RotateForm(request.POST if "run" in request.POST else None)
    if not form.is_valid():
        return _ask(model_admin, request, rows, "rotate", form, "")
    hours = form.cleaned_data["keep_hours"]
    names = list(rows.order_by("pk").values_list("pk", flat=True))
    found = [(name, endpoints.rotate_secret(actor(request), name, hours)) for name in names]
    return secrets_page(model_admin, request, "New secrets", found)


def _enable(request: HttpRequest, row: WebhookEndpoint, _: dict[str, Any]) -> None:
    endpoints.enable(actor(request), row.subscriber)
    messages.success(request, f"The endpoint {row.subscriber} is enabled and gets what it missed.")


def _disable(request: HttpRequest, row: WebhookEndpoint, said: dict[str, Any]) -> None:
    endpoints.disable(actor(request), row.subscriber, said["reason"])
    messages.success(request, f"The endpoint {row.subscriber} is disabled.")


def _ping(request: HttpRequest, row: WebhookEndpoint, _: dict[str, Any]) -> None:
    _tell(request, row.subscriber, endpoints.ping(actor(request), row.subscriber))


def _replay(request: HttpRequest, row: WebhookEndpoint, said: dict[str, Any]) -> None:
    events = endpoints.replay_from(actor(request), row.subscriber, said["from_position"])
    messages.success(request, f"The endpoint {row.subscriber} gets {events} events once more.")


def _replay_delivery(request: HttpRequest, row: WebhookDelivery, _: dict[str, Any]) -> None:
    if not WebhookEndpoint.objects.filter(subscriber=row.subscriber).exists():
        messages.error(request, f"There is no endpoint named {row.subscriber} any more.")
    elif row.position is not None and not LoggedEvent.objects.filter(position=row.position).exists():
        messages.error(request, f"The log has no position {row.position} any more.")
    else:
        _tell(request, row.subscriber, endpoints.replay_delivery(actor(request), row))


def _tell(request: HttpRequest, name: str, note: Note) -> None:
    """Say what came of a call."""
    seconds = f"in {note.duration_seconds:.2f} s"
    if note.outcome == "delivered":
        messages.success(request, f"The endpoint {name} answered {note.response_status} {seconds}.")
    else:
        messages.error(request, f"The endpoint {name} did not take it: {note.error} ({seconds}).")


def _count_replay(rows: QuerySet[WebhookEndpoint], form: forms.Form) -> str:
    position = form.cleaned_data["from_position"]
    counts = [(row.subscriber, endpoints.count_from(row.subscriber, position)) for row in rows.order_by("pk")]
    return f"This sends {', '.join(f'{count} events to {name}' for name, count in counts)} once more."


enable = action("enable", "Enable the chosen endpoints", _enable)
disable = action("disable", "Disable the chosen endpoints", _disable, ReasonForm)
ping = action("ping", "Send a test event to the chosen endpoints", _ping)
replay = action("replay", "Send past events once more", _replay, ReplayForm, _count_replay)
replay_delivery = action(
    "replay_delivery",
    "Send the events of the chosen deliveries once more",
    _replay_delivery,
    permission="replay",
)
