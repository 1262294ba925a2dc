"""What every page that shows shares: it waits a moment for the reader's own last step, then shows what there is."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse

from outbox.exceptions import InvalidToken
from outbox.tokens import NAME

from .reading import Reading, reading

WAIT_SECONDS = 1.0

Page = Callable[..., HttpResponse]


def shows(*read_models: str) -> Callable[[Page], Page]:
    """Let a page wait for the tokens of its link and of the reader's cookie, in exactly the read models that it names.

    Its templates find a `Reading` in `request.reading`, which says whether what they show is stale.
    """

    def decorate(page: Page) -> Page:
        @wraps(page)
        def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            with reading(read_models) as own:
                request.reading = own  # type: ignore[attr-defined]
                has_useless_cookie = not _wait(request, own)
                response = page(request, *args, **kwargs)
                own.describe(response)
            if has_useless_cookie:
                response.delete_cookie(NAME)
            return response

        return shown

    return decorate


def _wait(request: HttpRequest, own: Reading) -> bool:
    """Wait, and say whether the cookie was of use: one from before a restore is nobody's mistake, and is dropped."""
    link, kept = request.GET.getlist(NAME), request.COOKIES.get(NAME)
    if kept:
        try:
            own.wait_for([kept, *link], WAIT_SECONDS)
        except InvalidToken:
            _wait_for_link(own, link)
            return False
        return True
    _wait_for_link(own, link)
    return True


def _wait_for_link(own: Reading, link: list[str]) -> None:
    try:
        own.wait_for(link, WAIT_SECONDS)
    except InvalidToken as error:
        raise BadRequest(str(error)) from error
