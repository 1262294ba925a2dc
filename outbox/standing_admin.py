"""Generations, checkpoints, rebuilds and verifications to look at; `manage.py` is where they are begun and ended."""

from typing import ClassVar

from django.contrib import admin

from .read_only_admin import ReadOnlyAdmin
from .standing_models import CheckpointStanding, GenerationStanding, RebuildRecord, VerificationRecord


class StandingAdmin(ReadOnlyAdmin):
    """Shows rows about projections."""

    search_fields: ClassVar[tuple[str, ...]] = ("projection",)
    search_help_text = "A part of a projection's name."


@admin.register(GenerationStanding)
class GenerationStandingAdmin(StandingAdmin):
    """Which generations there are, by which version of the code, and where each stands."""

    ordering = ("projection", "-generation")
    list_filter = ("state",)
    list_display = ("standing_id", "state", "version", "position", "created_at", "drop_after")


@admin.register(CheckpointStanding)
class CheckpointStandingAdmin(ReadOnlyAdmin):
    """Up to where each subscriber has taken in the log."""

    ordering = ("subscriber", "-generation")
    list_display = ("standing_id", "position", "moved_at")
    search_fields: ClassVar[tuple[str, ...]] = ("subscriber",)
    search_help_text = "A part of a subscriber's name."


@admin.register(RebuildRecord)
class RebuildRecordAdmin(StandingAdmin):
    """Who rebuilt what, when and why, and how far it is."""

    ordering = ("-rebuild_id",)
    list_filter = ("phase", "projection")
    list_display = (
        "rebuild_id",
        "projection",
        "generation",
        "phase",
        "events_done",
        "events_total",
        "actor",
        "reason",
        "error",
        "started_at",
        "finished_at",
    )


@admin.register(VerificationRecord)
class VerificationRecordAdmin(StandingAdmin):
    """What was compared with a fresh fold, and which rows differed: their keys and columns, no values."""

    ordering = ("-verification_id",)
    list_filter = ("projection",)
    list_display = (
        "verification_id",
        "projection",
        "generation",
        "position",
        "rows_compared",
        "rows_different",
        "rows_repaired",
        "started_at",
        "finished_at",
    )
