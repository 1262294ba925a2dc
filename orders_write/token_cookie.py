"""The cookie that carries a person's newest consistency token from the page that acts to the pages that show."""

from django.conf import settings
from django.http import HttpResponseBase

from outbox.tokens import NAME

# As long as delivery may be in trouble without the person forgetting what they did.
COOKIE_SECONDS = 300


def keep_token(response: HttpResponseBase, token: str) -> None:
    """Let the next pages wait for what this token tells of; no script can read it, no other site can have it sent."""
    response.set_cookie(
        NAME,
        token,
        max_age=COOKIE_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def drop_token(response: HttpResponseBase) -> None:
    """Leave nothing to the next person at this browser."""
    response.delete_cookie(NAME, samesite="Lax")
