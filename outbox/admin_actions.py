"""What operators do with dead letters in the admin: each action asks for a reason on a page of its own first."""

from collections.abc import Callable, Collection
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from . import retry
from .retry import OpenLetter, Selection, open_letters
from .selection import counted

Act = Callable[[Collection[OpenLetter], str, str], int]


class ReasonForm(forms.Form):
    """Why; it is kept in the record of operators' actions."""

    reason = forms.CharField(max_length=500, widget=forms.TextInput(attrs={"size": 80}))


def action(name: str, description: str, done: str, act: Act) -> Any:
    """Make an action for open dead letters; the page that asks says how many events it touches."""

    @admin.action(description=description, permissions=["operate"])
    def run(model_admin: Any, request: HttpRequest, rows: QuerySet[Any]) -> TemplateResponse | None:
        letters = open_letters(Selection(ids=list(rows.values_list("pk", flat=True))))
        if not letters:
            messages.warning(request, "None of the chosen dead letters is open any more.")
            return None
        form = ReasonForm(request.POST if "run" in request.POST else None)
        if not form.is_valid():
            return _ask(model_admin, request, rows, name, form, letters)
        count = act(letters, f"user:{request.user.pk}", form.cleaned_data["reason"])
        messages.success(request, f"{count} dead letters {done}.")
        return None

    run.__name__ = name
    return run


def _ask(
    model_admin: Any,
    request: HttpRequest,
    rows: QuerySet[Any],
    name: str,
    form: ReasonForm,
    letters: list[OpenLetter],
) -> TemplateResponse:
    context = {
        **model_admin.admin_site.each_context(request),
        "title": model_admin.get_actions(request)[name][2],
        "impact": f"This touches {counted(letters)}.",
        "opts": model_admin.opts,
        "form": form,
        "rows": rows,
        "action": name,
        "checkbox": ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, "admin/command.html", context)


retry_letters = action(
    "retry", "Try the chosen dead letters again", "will be tried again within a second", retry.retry
)
skip_letters = action("skip", "Skip the chosen dead letters for ever", "will be skipped", retry.skip)
