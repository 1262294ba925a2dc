"""Every failure of the API as an RFC 9457 problem: `application/problem+json`, never HTML.

400  wrong shape, with `errors`: a field's path and what is wrong with it
401, 403, 404, 405, 406, 412, 413, 415, 429
409  a request with the same idempotency key is still running
422  a rule refused the command: `rule` is the class's name, `details` what it was about
500, 503
"""

import json
import logging
from collections.abc import Iterator, Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Never

import django.db
import orjson
import psycopg
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions as rest
from rest_framework.parsers import JSONParser
from rest_framework.settings import api_settings

from orders_read.filters import InvalidParameters
from orders_read.queries import InvalidCursor
from orders_write import exceptions as write
from outbox.exceptions import InvalidToken

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
API_PREFIX = "/api/"
LARGEST_BODY_BYTES = 1_000_000
DEEPEST_BODY = 32
RETRY_AFTER_SECONDS = "1"

STATUSES: Mapping[type[write.WriteError], HTTPStatus] = {
    write.NotFound: HTTPStatus.NOT_FOUND,
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


class PayloadTooLarge(rest.APIException):
    """The request is larger than this API takes."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_detail = f"The request must not be larger than {LARGEST_BODY_BYTES:,} bytes."


class StrictJSONParser(JSONParser):
    """Read a JSON object with nothing guessed: no duplicate keys, no NaN, fractions as exact decimals."""

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Body:
        """Return the object; raises ParseError, or PayloadTooLarge before reading on."""
        raw = stream.read(LARGEST_BODY_BYTES + 1)
        if len(raw) > LARGEST_BODY_BYTES:
            raise PayloadTooLarge
        try:
            body = json.loads(
                raw.decode(), object_pairs_hook=_object, parse_float=Decimal, parse_constant=_no_constant
            )
        except RecursionError:
            raise rest.ParseError("The JSON is nested too deeply.") from None
        except ValueError as error:
            raise rest.ParseError(f"This is not JSON: {error}.") from error
        if not isinstance(body, dict):
            raise rest.ParseError("The request must be a JSON object.")
        _check_depth(body)
        return body


def exception_handler(error: Exception, _: Mapping[str, Any]) -> HttpResponse:
    """Answer whatever a view of the API raised; what nobody foresaw is logged."""
    match error:
        case write.WriteError():
            return _command_failed(error)
        case rest.APIException() | InvalidParameters() | InvalidCursor() | InvalidToken():
            return _not_understood(error)
        case Http404():
            return problem(HTTPStatus.NOT_FOUND)
        case PermissionDenied():
            return problem(HTTPStatus.FORBIDDEN, str(error))
        case SuspiciousOperation():
            return problem(HTTPStatus.BAD_REQUEST, str(error))
    return _failed(error)


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
def nowhere(_: HttpRequest) -> HttpResponse:
    """Answer a path of the API that leads nowhere, also where Django would explain its paths to a developer."""
    return problem(HTTPStatus.NOT_FOUND)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer what Django refused before a view could."""
    return _outside_views(request, HTTPStatus.BAD_REQUEST) or defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer a refusal that no view of the API made."""
    return _outside_views(request, HTTPStatus.FORBIDDEN) or defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer a path that leads nowhere."""
    return _outside_views(request, HTTPStatus.NOT_FOUND) or defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer a failure outside the views."""
    return _outside_views(request, HTTPStatus.INTERNAL_SERVER_ERROR) or defaults.server_error(request)


def _outside_views(request: HttpRequest, status: HTTPStatus) -> HttpResponse | None:
    return problem(status) if request.path_info.startswith(API_PREFIX) else None


def _command_failed(error: write.WriteError) -> HttpResponse:
    named: Body = {
        "title": error.message,
        "kind": f"urn:orders:{error.code}",
        "details": _json(error.details),
    }
    if isinstance(error, write.Refusal):
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, rule=error.code, **named)
    return problem(STATUSES[type(error)], **named)


def _not_understood(error: Exception) -> HttpResponse:
    match error:
        case InvalidToken():
            return _invalid({"Consistency-Token": str(error)})
        case InvalidCursor():
            return _invalid({"after": "This is not `next` of a page of this list."})
        case InvalidParameters():
            return _invalid(error.errors)
        case rest.ValidationError():
            return _invalid(error.detail)
    assert isinstance(error, rest.APIException)
    return problem(HTTPStatus(error.status_code), str(error.detail), headers=_headers(error))


def _invalid(errors: Any) -> HttpResponse:
    return problem(HTTPStatus.BAD_REQUEST, "The request is not valid.", errors=list(_errors(errors)))


def _failed(error: Exception) -> HttpResponse:
    if isinstance(error, TRANSIENT):
        logger.warning("The database cannot answer: %s", error)
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": RETRY_AFTER_SECONDS})
    if isinstance(error.__cause__ or error, psycopg.errors.NumericValueOutOfRange):
        return problem(HTTPStatus.BAD_REQUEST, "It leads to a number that is larger than this system keeps.")
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
    # What came in may hold half of a surrogate pair, which UTF-8 cannot.
    return {
        "field": field.encode(errors="replace").decode(),
        "detail": detail.encode(errors="replace").decode(),
    }


def _json(details: Mapping[str, Any]) -> Body:
    """Write amounts and ids as the API does elsewhere: as strings."""
    return {
        name: value
        if isinstance(value, str | list) or (isinstance(value, int) and not name.endswith("_id"))
        else str(value)
        for name, value in details.items()
    }


def _object(pairs: list[tuple[str, Any]]) -> Body:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {json.dumps(twice)} occurs twice")
    return found


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is not a JSON number")


def _check_depth(value: Any, depth: int = 1) -> None:
    if depth > DEEPEST_BODY:
        raise rest.ParseError("The JSON is nested too deeply.")
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            _check_depth(inner, depth + 1)
