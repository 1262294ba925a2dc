"""Rows to look at in the admin, which nobody changes there."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Shows rows, newest first, and offers nothing to do with them."""

    actions: Sequence[Any] | None = None
    show_full_result_count = False
    search_fields: ClassVar[tuple[str, ...]] = ("=aggregate_id",)
    search_help_text = "The id of an aggregate."

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False
