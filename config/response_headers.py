"""Headers of every answer: what a cache may keep, and what a page may load."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

# Whatever shows one user's data must not lie in a cache for the next one; a view that knows better says so itself.
CACHE_CONTROL = "private, no-store"

PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
# Swagger UI writes styles into its elements; its script comes from an address of its own.
DOCUMENTATION = "docs"
DOCUMENTATION_POLICY = f"{PAGE_POLICY}; style-src 'self' 'unsafe-inline'"


class ResponseHeadersMiddleware:
    """Forbid to keep answers, and pages to load or run what does not come from here, unless their view said more."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Add the headers that are not there yet."""
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", CACHE_CONTROL)
        if response.headers.get("Content-Type", "").startswith("text/html") and not _explains(response):
            match = request.resolver_match
            policy = DOCUMENTATION_POLICY if match and match.view_name == DOCUMENTATION else PAGE_POLICY
            response.headers.setdefault("Content-Security-Policy", policy)
        return response


def _explains(response: HttpResponseBase) -> bool:
    """Tell whether this may be Django's explanation of a failure to a developer, which has its styles within."""
    return settings.DEBUG and response.status_code >= 400
