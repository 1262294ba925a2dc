"""What the admin asks about webhook endpoints; what will not do is told at its field."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.module_loading import import_string

from .. import history
from ..options import options
from . import endpoints
from .addresses import check_url
from .models import WebhookEndpoint


def known_event_types() -> Mapping[str, int]:
    """Load the event types that the settings name, with their schema versions; none when they name none."""
    found: Mapping[str, int] = import_string(options().events) if options().events else {}
    return found


class EventTypesField(forms.CharField):
    """Event types, one a line."""

    widget = forms.Textarea(attrs={"rows": 5, "cols": 40})

    def prepare_value(self, value: Any) -> Any:
        """Write a list as lines."""
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """Read lines, or what stands between commas; refuse what no event is called."""
        found = [word for word in str(value or "").replace(",", " ").split() if word]
        known = known_event_types()
        if unknown := [word for word in found if known and word not in known]:
            raise forms.ValidationError(
                f"No event is called {', '.join(unknown)}. There are: {', '.join(sorted(known))}."
            )
        return list(dict.fromkeys(found))

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare lists."""
        return bool((initial or []) != self.to_python(data))


class EndpointForm(forms.ModelForm):  # type: ignore[type-arg]
    """Address and wishes of an endpoint."""

    url = forms.CharField(
        label="Address",
        max_length=2_000,
        widget=forms.TextInput(attrs={"size": 80}),
        help_text="Where webhooks are posted to: https://…",
    )
    description = forms.CharField(required=False, widget=forms.TextInput(attrs={"size": 80}))
    event_types = EventTypesField(
        required=False, help_text="One a line. Leave empty for all, those of the future included."
    )
    with_personal = forms.BooleanField(
        required=False,
        label="With personal data",
        help_text="Send names and addresses of customers too, where an event has them. What was sent cannot be erased.",
    )

    class Meta:
        model = WebhookEndpoint
        fields: tuple[str, ...] = ("url", "description", "event_types", "with_personal")

    def clean_url(self) -> str:
        """Check the address as far as its text goes; where it leads is checked at every call."""
        url = str(self.cleaned_data["url"])
        try:
            check_url(url)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        return url


class NewEndpointForm(EndpointForm):
    """A new endpoint."""

    subscriber = forms.CharField(label="Name", max_length=63, help_text="Small letters, digits, - and _.")
    partitions = forms.IntegerField(
        initial=1,
        min_value=1,
        max_value=endpoints.MOST_PARTITIONS,
        help_text="How many calls may be made at a time. The events of one order stay in order.",
    )
    from_beginning = forms.BooleanField(
        required=False, help_text="Send all that ever happened, not only what happens from now on."
    )

    class Meta(EndpointForm.Meta):
        fields = ("subscriber", *EndpointForm.Meta.fields)

    def clean_subscriber(self) -> str:
        """Check the name."""
        name = str(self.cleaned_data["subscriber"])
        try:
            endpoints.check_name(name)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        return name

    def clean_from_beginning(self) -> bool:
        """Refuse a beginning that was pruned."""
        if self.cleaned_data["from_beginning"]:
            _check_log_after(0)
        return bool(self.cleaned_data["from_beginning"])


class RotateForm(forms.Form):
    """How long the old secret is good for beside the new one."""

    keep_hours = forms.FloatField(
        label="Sign with the old secret too for so many hours",
        initial=endpoints.KEEP_SECRET_HOURS,
        min_value=0,
        max_value=24 * 30,
    )


class ReplayForm(forms.Form):
    """From where on events are sent once more."""

    from_position = forms.IntegerField(label="From position", min_value=1)

    def clean_from_position(self) -> int:
        """Refuse a position that the log does not have."""
        position = int(self.cleaned_data["from_position"])
        if position > (head := history.head()):
            raise forms.ValidationError(f"The log ends at position {head}.")
        _check_log_after(position - 1)
        return position


def _check_log_after(position: int) -> None:
    try:
        endpoints.check_log_after(position)
    except ValueError as error:
        raise forms.ValidationError(str(error)) from error
