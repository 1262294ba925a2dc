"""What every question over HTTP shares: with a consistency token, it waits until it can be answered by it."""

from collections.abc import Sequence
from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase
from rest_framework.request import Request
from rest_framework.views import APIView

from outbox.tokens import HEADER, NAME

from .preferences import Preferences, preferences_of
from .reading import Reading, reading

APPLIED = "Preference-Applied"


class NothingThere(Http404):
    """What was asked for does not exist, or not for the one who asks; `details` are the key that was looked for."""

    def __init__(self, message: str, **details: Any) -> None:
        self.details = details
        super().__init__(message)


class QuestionView(APIView):
    """A view that answers from read models, exactly those that it names."""

    read_models: Sequence[str] = ()
    reading: Reading | None = None
    preferences: Preferences | None = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Say with every answer how new it is."""
        if request.method not in ("GET", "HEAD"):
            return super().dispatch(request, *args, **kwargs)
        with reading(self.read_models) as self.reading:
            response = super().dispatch(request, *args, **kwargs)
            self.reading.describe(response)
        if self.preferences is not None and self.preferences.applied:
            response[APPLIED] = self.preferences.applied
        return response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Let in who may ask, once the read models have what the tokens tell of.

        Raises ReadModelBehind, unless the request prefers an older answer to none, and InvalidToken.
        """
        super().initial(request, *args, **kwargs)
        if self.reading is None:
            return
        given = request.headers.get(HEADER)
        tokens = [*([] if given is None else given.split(",")), *request.query_params.getlist(NAME)]
        wanted = preferences_of(request.headers.get("Prefer", ""))
        if tokens:
            self.preferences = wanted
        self.reading.wait_for([token.strip() for token in tokens], wanted.wait_seconds)
        if not wanted.takes_older:
            self.reading.require()
