"""Every failure of the API as an RFC 9457 problem: `application/problem+json`, never HTML.

400  wrong shape, with `errors`: a field's path and what is wrong with it
401, 403, 404, 405, 406, 412, 413, 415, 429
409  a request with the same idempotency key is still running
422  a rule refused the command: `rule` is the class's name, `details` what it was about
500, 503
"""

import logging
from collections.abc import Iterator, Mapping
from decimal import Decimal
from http import HTTPStatus
from itertools import islice
from typing import Any

import django.db
import orjson
import psycopg
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions as rest
from rest_framework.settings import api_settings

from orders_read.filters import InvalidParameters
from orders_read.queries import InvalidCursor
from orders_read.question_view import NothingThere
from orders_read.reading import ReadModelBehind
from orders_read.stores.choice import ReadStoreUnavailable
from orders_write import exceptions as write
from orders_write.events import money
from outbox.exceptions import InvalidToken
from outbox.tokens import HEADER

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
API_PREFIX = "/api/"
MOST_ERRORS = 100
RETRY_AFTER_SECONDS = "1"
TOO_LARGE = "It leads to a number that is larger than this system keeps."

STATUSES: Mapping[type[write.WriteError], HTTPStatus] = {
    write.VersionConflict: HTTPStatus.PRECONDITION_FAILED,
    write.StillRunning: HTTPStatus.CONFLICT,
    write.KeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
}

# What a server that is gone, restarting or overloaded leads to; the same request may succeed later.
TRANSIENT = (
    django.db.OperationalError,
    django.db.InterfaceError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)

Body = dict[str, Any]


def exception_handler(error: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """Answer whatever a view of the API raised; what nobody foresaw is logged."""
    match error:
        case write.WriteError():
            return _command_failed(error)
        case rest.MethodNotAllowed():
            return _wrong_method(context)
        case rest.APIException() | InvalidParameters() | InvalidCursor() | InvalidToken():
            return _not_understood(error)
        case ReadModelBehind():
            return _behind(error)
        case ReadStoreUnavailable():
            return _store_is_away(error)
        case NothingThere():
            return _nothing_there(str(error), error.details)
        case Http404():
            return nowhere()
        case PermissionDenied():
            return problem(HTTPStatus.FORBIDDEN, str(error))
        case SuspiciousOperation():
            return problem(HTTPStatus.BAD_REQUEST, str(error))
    return _failed(error, context)


def problem(
    status: HTTPStatus,
    detail: str = "",
    *,
    title: str = "",
    kind: str = "about:blank",
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> HttpResponse:
    """Build the response of a problem; `members` are added to the standard ones."""
    body = {"type": kind, "title": title or status.phrase, "status": status.value}
    if detail:
        body["detail"] = detail
    return HttpResponse(
        orjson.dumps(body | members), content_type=CONTENT_TYPE, status=status, headers=headers
    )


@csrf_exempt
def nowhere(_: HttpRequest | None = None) -> HttpResponse:
    """Answer a path of the API that leads nowhere, also where Django would explain its paths to a developer."""
    return _nothing_there("There is nothing at this address.", {})


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer what Django refused before a view could."""
    return _in_api(request, HTTPStatus.BAD_REQUEST) or defaults.bad_request(_unread(request), exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer a refusal that no view of the API made."""
    return _in_api(request, HTTPStatus.FORBIDDEN) or defaults.permission_denied(_unread(request), exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer a path that leads nowhere."""
    return nowhere() if _is_api(request) else defaults.page_not_found(_unread(request), exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer a failure outside the views."""
    return _in_api(request, HTTPStatus.INTERNAL_SERVER_ERROR) or defaults.server_error(_unread(request))


def _in_api(request: HttpRequest, status: HTTPStatus) -> HttpResponse | None:
    return problem(status) if _is_api(request) else None


def _is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith(API_PREFIX)


def _unread(request: HttpRequest) -> HttpRequest:
    """Keep the page of a failure from looking for a form's token: a body that cannot be read would fail again."""
    request.csrf_processing_done = True  # type: ignore[attr-defined]
    return request


def _command_failed(error: write.WriteError) -> HttpResponse:
    if isinstance(error, write.NotFound):
        return _nothing_there(error.message, error.details)
    named: Body = {
        "title": error.message,
        "kind": f"urn:orders:{error.code}",
        "details": _json(error.details),
    }
    if isinstance(error, write.Refusal):
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, rule=error.code, **named)
    return problem(STATUSES[type(error)], **named)


def _nothing_there(title: str, details: Mapping[str, Any]) -> HttpResponse:
    return problem(HTTPStatus.NOT_FOUND, title=title, kind="urn:orders:NotFound", details=_json(details))


def _wrong_method(context: Mapping[str, Any]) -> HttpResponse:
    view, request = context["view"], context["request"]
    allowed = ", ".join(method for method in view.allowed_methods if method != "OPTIONS")
    return problem(HTTPStatus.METHOD_NOT_ALLOWED, f"{request.method} is not allowed here, but {allowed}.")


def _not_understood(error: Exception) -> HttpResponse:
    match error:
        case InvalidToken():
            return _invalid({HEADER: str(error)}, kind=f"urn:orders:{type(error).__name__}")
        case InvalidCursor():
            return _invalid({"after": "This is not `next` of a page of this list."})
        case InvalidParameters():
            return _invalid(error.errors)
        case rest.ValidationError():
            return _invalid(error.detail)
        case rest.UnsupportedMediaType():
            return problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body must be application/json.")
    assert isinstance(error, rest.APIException)
    return problem(HTTPStatus(error.status_code), str(error.detail), headers=_headers(error))


def _behind(error: ReadModelBehind) -> HttpResponse:
    return problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        str(error),
        title="The read model is behind.",
        kind="urn:orders:read-model-behind",
        headers={"Retry-After": str(error.retry_after_seconds)},
        details=error.details,
    )


def _store_is_away(error: ReadStoreUnavailable) -> HttpResponse:
    return problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        title=str(error),
        kind="urn:orders:read-store-unavailable",
        headers={"Retry-After": RETRY_AFTER_SECONDS},
    )


def _invalid(errors: Any, kind: str = "about:blank") -> HttpResponse:
    found = list(islice(_errors(errors), MOST_ERRORS + 1))
    more = f" These are the first {MOST_ERRORS} errors." if len(found) > MOST_ERRORS else ""
    detail = f"The request is not valid.{more}"
    return problem(HTTPStatus.BAD_REQUEST, detail, kind=kind, errors=found[:MOST_ERRORS])


def _failed(error: Exception, context: Mapping[str, Any]) -> HttpResponse:
    if isinstance(error, TRANSIENT):
        logger.warning("The database cannot answer: %s", error)
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": RETRY_AFTER_SECONDS})
    if isinstance(error.__cause__ or error, psycopg.errors.NumericValueOutOfRange):
        summed_up = getattr(context.get("view"), "summed_up", None)
        return _invalid({summed_up: TOO_LARGE}) if summed_up else problem(HTTPStatus.BAD_REQUEST, TOO_LARGE)
    logger.error("A request failed", exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR)


def _headers(error: rest.APIException) -> dict[str, str]:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait_seconds := getattr(error, "wait", None):
        headers["Retry-After"] = f"{wait_seconds:.0f}"
    return headers


def _errors(detail: Any, path: tuple[str, ...] = ()) -> Iterator[dict[str, str]]:
    """Yield every complaint of a nested validation error, with the path of its field."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from _errors(
                inner, path if name == api_settings.NON_FIELD_ERRORS_KEY else (*path, str(name))
            )
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            yield from _errors(inner, (*path, str(index)) if isinstance(inner, Mapping) else path)
    else:
        yield _error(".".join(path), str(detail))


def _error(field: str, detail: str) -> dict[str, str]:
    return {"field": _sendable(field), "detail": _sendable(detail)}


def _sendable(text: str) -> str:
    """Replace half of a surrogate pair, which came in as JSON but is nothing in UTF-8."""
    return text.encode(errors="replace").decode()


def _json(details: Mapping[str, Any]) -> Body:
    """Write amounts and ids as the API does elsewhere: as strings, amounts with four decimals."""
    return {name: _told(name, value) for name, value in details.items()}


def _told(name: str, value: Any) -> Any:
    if isinstance(value, Decimal):
        return money(value)
    if isinstance(value, str | list) or (isinstance(value, int) and not name.endswith("_id")):
        return value
    return str(value)
