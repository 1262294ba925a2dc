"""Say in a header which store has answered, where it is not PostgreSQL, or should not be."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from .choice import noted_stores

HEADER = "Read-Store"


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
