"""What every question over HTTP shares: with a consistency token, it waits until it can be answered by it."""

from collections.abc import Sequence
from threading import BoundedSemaphore
from typing import Any

from django.http import Http404
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.views import APIView

from .consistency import wait_until_visible

LONGEST_WAIT_SECONDS = 2.0
# Of a process's eight threads, so that those who wait never keep out those who need not.
WAITING = BoundedSemaphore(2)


class NotYetVisible(APIException):
    """What the consistency token tells of cannot be seen yet."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "What the consistency token tells of cannot be seen yet. Ask again."
    wait = 1


class NothingThere(Http404):
    """What was asked for does not exist, or not for the one who asks; `details` are the key that was looked for."""

    def __init__(self, message: str, **details: Any) -> None:
        self.details = details
        super().__init__(message)


class QuestionView(APIView):
    """A view that answers from read models."""

    read_models: Sequence[str] = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Let in who may ask, once the read models have what the token tells of; raises NotYetVisible."""
        super().initial(request, *args, **kwargs)
        token = request.headers.get("Consistency-Token")
        if token is not None and request.method in ("GET", "HEAD") and not self._is_visible(token):
            raise NotYetVisible

    def _is_visible(self, token: str) -> bool:
        if wait_until_visible(token, self.read_models, 0):
            return True
        if not WAITING.acquire(blocking=False):
            return False
        try:
            return wait_until_visible(token, self.read_models, LONGEST_WAIT_SECONDS)
        finally:
            WAITING.release()
