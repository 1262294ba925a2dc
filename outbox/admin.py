"""The log, the outbox and the record of operators to look at; nobody changes them here."""

from typing import cast

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Max, Min, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from .admin_actions import retry_letters, skip_letters
from .models import DeadLetter, LoggedEvent, OperatorAction, OutboxMessage
from .publishers.admin import WebhookDeliveryAdmin, WebhookEndpointAdmin
from .read_only_admin import ReadOnlyAdmin
from .standing_admin import (
    CheckpointStandingAdmin,
    GenerationStandingAdmin,
    RebuildRecordAdmin,
    VerificationRecordAdmin,
)

__all__ = [  # registered where they are
    "CheckpointStandingAdmin",
    "GenerationStandingAdmin",
    "RebuildRecordAdmin",
    "VerificationRecordAdmin",
    "WebhookDeliveryAdmin",
    "WebhookEndpointAdmin",
]


class PositionPaginator(Paginator):  # type: ignore[type-arg]
    """Counts the log by its ends, as positions are dense; counting rows would read all of it."""

    @cached_property
    def count(self) -> int:
        """Say how many events there are to page through."""
        events = cast("QuerySet[LoggedEvent]", self.object_list)
        if events.query.where:
            return super().count
        ends = LoggedEvent.objects.aggregate(first=Min("position"), last=Max("position"))
        return ends["last"] - ends["first"] + 1 if ends["last"] else 0


@admin.register(LoggedEvent)
class LoggedEventAdmin(ReadOnlyAdmin):
    """The event log."""

    paginator = PositionPaginator
    ordering = ("-position",)
    list_display = (
        "position",
        "event_type",
        "aggregate_type",
        "aggregate_id",
        "aggregate_version",
        "occurred_at",
    )


@admin.register(OutboxMessage)
class OutboxMessageAdmin(ReadOnlyAdmin):
    """What the relay has not taken yet."""

    ordering = ("-message_id",)
    list_display = (
        "message_id",
        "event_type",
        "aggregate_type",
        "aggregate_id",
        "aggregate_version",
        "recorded_at",
    )


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    """What subscribers could not take in; the fingerprint groups what has, in all likelihood, one cause."""

    ordering = ("-dead_letter_id",)
    list_filter = ("state", "subscriber", "event_type", "fingerprint")
    list_display = (
        "dead_letter_id",
        "subscriber",
        "generation",
        "state",
        "event_type",
        "aggregate_type",
        "aggregate_id",
        "position",
        "attempts",
        "fingerprint",
        "last_failed_at",
        "next_attempt_at",
    )
    actions = (retry_letters, skip_letters)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission to change dead letters, which nobody does on their page."""
        return request.user.has_perm("outbox.change_deadletter")


@admin.register(OperatorAction)
class OperatorActionAdmin(ReadOnlyAdmin):
    """Who did what to delivery, and why."""

    ordering = ("-action_id",)
    list_filter = ("action",)
    list_display = ("acted_at", "actor", "action", "subject", "reason")
    search_fields = ("subject", "actor", "reason")
    search_help_text = "A part of subject, actor or reason."
