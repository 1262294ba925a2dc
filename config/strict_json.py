"""Read the body of a request to the API: JSON with nothing guessed, and no more of it than a command can need."""

import json
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from typing import Any, Never

from rest_framework import exceptions as rest
from rest_framework.parsers import JSONParser

LARGEST_BODY_BYTES = 1_000_000
DEEPEST_BODY = 32
MOST_DIGITS = 100

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
                raw.decode(),
                object_pairs_hook=_object,
                parse_float=_fraction,
                parse_int=_integer,
                parse_constant=_no_constant,
            )
        except UnicodeDecodeError as error:
            raise rest.ParseError("The body is not UTF-8.") from error
        except json.JSONDecodeError as error:
            raise rest.ParseError(f"The body is not JSON: {error}.") from error
        except RecursionError:
            raise rest.ParseError("The JSON is nested too deeply.") from None
        if not isinstance(body, dict):
            raise rest.ParseError("The body must be a JSON object.")
        _check_depth(body)
        return body


def _object(pairs: list[tuple[str, Any]]) -> Body:
    found = dict(pairs)
    if len(found) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise rest.ParseError(f"The key {json.dumps(twice)} occurs twice in one object.")
    return found


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise rest.ParseError(f"A number must not have more than {MOST_DIGITS} digits.")
    return int(digits)


def _fraction(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise rest.ParseError("A number has an exponent that is out of all reason.") from None


def _no_constant(name: str) -> Never:
    raise rest.ParseError(f"{name} is no number of JSON.")


def _check_depth(value: Any, depth: int = 1) -> None:
    if depth > DEEPEST_BODY:
        raise rest.ParseError("The JSON is nested too deeply.")
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            _check_depth(inner, depth + 1)
