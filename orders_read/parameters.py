"""The parameters of questions that only the API asks, and how the API's schema describes them all."""

from django import forms
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from .filters import Parameters, fields_of
from .parameter_fields import IdFilter, TrueOrFalseField

# In this order: an IntegerField is a DecimalField's sister, a MultipleChoiceField a ChoiceField's child.
TYPES: tuple[tuple[type[forms.Field], OpenApiTypes], ...] = (
    (forms.DateField, OpenApiTypes.DATE),
    (forms.DecimalField, OpenApiTypes.DECIMAL),
    (forms.IntegerField, OpenApiTypes.INT64),
    (TrueOrFalseField, OpenApiTypes.BOOL),
)


class DashboardParameters(Parameters):
    """Whose dashboard is shown."""

    user_id = IdFilter(label="Whose; your own if left out. Others for staff only")


class NoParameters(Parameters):
    """A question that has none."""


def described(parameters: type[Parameters]) -> list[OpenApiParameter]:
    """Describe a set of parameters for the API's schema."""
    fields = fields_of(parameters)  # type: ignore[arg-type]
    return [_described(name, field) for name, field in fields.items()]


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
