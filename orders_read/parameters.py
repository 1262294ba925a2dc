"""The parameters of questions that only the API asks, and how the API's schema describes them all."""

from typing import Any

from django import forms
from django_filters import Filter  # type: ignore[import-untyped]
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from .filters import Parameters

LARGEST_ID = 2**63 - 1

# In this order: an IntegerField is a DecimalField's sister, a MultipleChoiceField a ChoiceField's child.
TYPES: tuple[tuple[type[forms.Field], OpenApiTypes], ...] = (
    (forms.DateField, OpenApiTypes.DATE),
    (forms.DecimalField, OpenApiTypes.DECIMAL),
    (forms.IntegerField, OpenApiTypes.INT64),
    (forms.NullBooleanField, OpenApiTypes.BOOL),
)


class IdFilter(Filter):  # type: ignore[misc]
    """An id."""

    field_class = forms.IntegerField

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"min_value": 0, "max_value": LARGEST_ID} | options)


class DashboardParameters(Parameters):
    """Whose dashboard is shown."""

    user_id = IdFilter(label="Whose; your own if left out. Others for staff only")


class NoParameters(Parameters):
    """A question that has none."""


def described(parameters: type[Parameters]) -> list[OpenApiParameter]:
    """Describe a set of parameters for the API's schema."""
    return [_described(name, field) for name, field in parameters().form.fields.items()]


def _described(name: str, field: forms.Field) -> OpenApiParameter:
    choices = [value for value, _ in getattr(field, "choices", ()) if value]
    several = isinstance(field, forms.MultipleChoiceField)
    return OpenApiParameter(
        name,
        next((kind for form, kind in TYPES if isinstance(field, form)), OpenApiTypes.STR),
        description=str(field.label or ""),
        required=field.required,
        many=several,
        enum=choices or None,
    )
