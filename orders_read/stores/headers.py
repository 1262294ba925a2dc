"""Say over HTTP which store has answered, where it is not PostgreSQL, or should not be; and when none could."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render

from .choice import ReadStoreUnavailable, noted_stores

HEADER = "Read-Store"
RETRY_AFTER_SECONDS = "1"


class ReadStoreMiddleware:
    """Add `Read-Store: redis`, or `Read-Store: postgres; fallback` where PostgreSQL answered for a store."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Note what answers, and tell."""
        with noted_stores() as answered:
            response = self.get_response(request)
        if answered.stores:
            response.headers[HEADER] = ", ".join(dict.fromkeys(answered.stores))
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer for a page whose store is away; the API tells it as a problem."""
        if not isinstance(exception, ReadStoreUnavailable):
            return None
        response = render(request, "503.html", status=503)
        response.headers["Retry-After"] = RETRY_AFTER_SECONDS
        return response
