"""What Prometheus reads at `/metrics`: figures of delivery, and those of the process that answers.

They tell nothing about customers, but how much is sold; so they are for the addresses in `METRICS_ALLOWED` (by default
this machine) and for the staff. A proxy's word on an address (`X-Forwarded-For`) is believed with `BEHIND_PROXY` alone.
"""

from ipaddress import ip_address

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView
from prometheus_client import CollectorRegistry, generate_latest

from outbox.metrics import DeliveryCollector

DELIVERY = CollectorRegistry()
DELIVERY.register(DeliveryCollector())


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with all figures in Prometheus's text format."""
    if not (_comes_from_allowed(request) or getattr(request.user, "is_staff", False)):
        raise PermissionDenied
    response: HttpResponse = ExportToDjangoView(request)
    response.content = generate_latest(DELIVERY) + response.content
    return response


def _comes_from_allowed(request: HttpRequest) -> bool:
    try:
        address = ip_address(_address(request))
    except ValueError:
        return False
    return any(address in allowed for allowed in settings.METRICS_ALLOWED)


def _address(request: HttpRequest) -> str:
    """Say who asks: the last one that our own proxy names. What came by a proxy that we do not know is nobody's."""
    if forwarded := request.headers.get("X-Forwarded-For", ""):
        return forwarded.rpartition(",")[2].strip() if settings.BEHIND_PROXY else ""
    return str(request.META.get("REMOTE_ADDR", ""))
