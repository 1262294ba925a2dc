"""Webhook endpoints in the admin, and what became of each call."""

from typing import Any, ClassVar

from django.contrib import admin
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property

from ..read_only_admin import ReadOnlyAdmin
from . import admin_actions, endpoints
from .admin_actions import actor
from .breaker import state_of
from .forms import EndpointForm, NewEndpointForm, known_event_types
from .models import PublisherRow, WebhookDelivery, WebhookEndpoint

COUNTED_AT_MOST = 10_000
BREAKER = """
SELECT attempts, next_attempt_at > clock_timestamp(), error_message FROM delivery_failures
 WHERE subscriber = %s AND generation = 1
"""
OPEN_LETTERS = "SELECT count(*) FROM dead_letters WHERE subscriber = %s AND state IN ('waiting', 'parked')"


class ShortCountPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than anybody pages, so that a list of millions opens at once."""

    @cached_property
    def count(self) -> int:
        """Return how many rows there are, or the most that are counted."""
        rows: QuerySet[Any] = self.object_list[:COUNTED_AT_MOST]  # type: ignore[assignment]
        return rows.count()


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Endpoints; whatever is done to them goes through `outbox.publishers.endpoints`, and is recorded."""

    ordering = ("subscriber",)
    list_display = ("subscriber", "url", "description", "state", "parked_events")
    search_fields = ("subscriber", "url", "description")
    actions = (
        admin_actions.ping,
        admin_actions.enable,
        admin_actions.disable,
        admin_actions.rotate,
        admin_actions.reveal,
        admin_actions.replay,
    )
    readonly_fields: ClassVar[tuple[str, ...]] = ("subscriber", "state", "parked_events", "created_at")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **_: Any) -> Any:  # noqa: FBT001, FBT002 – Django's
        """Ask for the name and the beginning of a new endpoint only."""
        return EndpointForm if obj else NewEndpointForm

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """List what is asked, and below it what is only shown."""
        asked = ("url", "description", "event_types", "with_personal")
        return (
            (*self.readonly_fields, *asked) if obj else ("subscriber", *asked, "partitions", "from_beginning")
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Show nothing of what is not yet there."""
        return self.readonly_fields if obj else ()

    def has_reveal_permission(self, request: HttpRequest) -> bool:
        """Tell the action whether this user may see secrets."""
        return request.user.has_perm("outbox.reveal_webhook_secret")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001 – Django's
        """Add or change an endpoint as the command of manage.py does."""
        said = form.cleaned_data
        if change:
            changes = {name: said[name] for name in form.changed_data}
            if changes:
                endpoints.change(actor(request), obj.subscriber, **changes)
            return
        name, url = said.pop("subscriber"), said.pop("url")
        obj.secret = endpoints.add(actor(request), name, url, **said)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> HttpResponse:
        """Show the secret, this once."""
        rows = [(obj.subscriber, obj.secret)]
        return admin_actions.secrets_page(self, request, "The endpoint was added; this is its secret", rows)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Remove an endpoint with its checkpoints."""
        endpoints.remove(actor(request), obj.subscriber)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Remove endpoints with their checkpoints."""
        for row in queryset:
            endpoints.remove(actor(request), row.subscriber)

    @admin.display(description="State")
    def state(self, endpoint: WebhookEndpoint) -> str:
        """Say whether it is enabled, and how its breaker stands."""
        if not PublisherRow.objects.get(subscriber=endpoint.subscriber).is_enabled:
            return f"disabled: {endpoint.disabled_reason}"
        with connection.cursor() as cursor:
            cursor.execute(BREAKER, [endpoint.subscriber])
            failures, is_put_off, error = cursor.fetchone() or (0, False, "")
        told = f"enabled, breaker {state_of(failures, is_put_off=is_put_off)}"
        return f"{told} after {failures} failures: {error}" if failures else told

    @admin.display(description="Dead letters")
    def parked_events(self, endpoint: WebhookEndpoint) -> int:
        """Count the aggregates that wait behind a refused event."""
        with connection.cursor() as cursor:
            cursor.execute(OPEN_LETTERS, [endpoint.subscriber])
            return int(cursor.fetchone()[0])


class EndpointFilter(admin.SimpleListFilter):
    """Lists the endpoints; Django's own filter would read all deliveries to find their names."""

    title = "endpoint"
    parameter_name = "endpoint"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Name the endpoints."""
        names = WebhookEndpoint.objects.order_by("pk").values_list("pk", flat=True)
        return [(name, name) for name in names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep what went to one endpoint, removed ones too."""
        return queryset.filter(subscriber=self.value()) if self.value() else queryset


class EventTypeFilter(admin.SimpleListFilter):
    """Lists the event types that there are."""

    title = "event type"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Name the types."""
        return [(name, name) for name in [*sorted(known_event_types()), endpoints.PING]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep events of one type."""
        return queryset.filter(event_type=self.value()) if self.value() else queryset


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    """Each call to an endpoint, for as long as the settings say."""

    paginator = ShortCountPaginator
    ordering = ("-delivery_id",)
    list_filter = (EndpointFilter, "outcome", EventTypeFilter)
    list_display = (
        "attempted_at",
        "subscriber",
        "event_type",
        "aggregate_type",
        "aggregate_id",
        "aggregate_version",
        "outcome",
        "response_status",
        "duration_seconds",
        "error",
    )
    search_fields: ClassVar[tuple[str, ...]] = ("=event_id", "=aggregate_id", "=position")
    search_help_text = "The id of an event or of an aggregate, or a position."
    actions = (admin_actions.replay_delivery,)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Tell the action whether this user may make calls to endpoints."""
        return request.user.has_perm("outbox.change_webhookendpoint")
