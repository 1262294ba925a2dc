"""What all operations of the API share, put into its schema in one place: problems, keys, versions, tokens."""

from typing import Any

from orders_write.events import Status

Schema = dict[str, Any]

COMMANDS = ("post", "put")
STATUSES = [status.value for status in Status]

PROBLEM: Schema = {
    "type": "object",
    "description": "Why a request failed (RFC 9457).",
    "properties": {
        "type": {"type": "string", "description": "`about:blank`, or `urn:orders:` and the error's name."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "rule": {
            "type": "string",
            "description": "The rule that refused the command.",
            "example": "NotEnoughStock",
        },
        "details": {
            "type": "object",
            "description": "What the rule or error is about.",
            "additionalProperties": True,
        },
        "errors": {
            "type": "array",
            "description": "What is wrong with the shape of the request.",
            "items": {
                "type": "object",
                "properties": {
                    "field": {"type": "string", "example": "lines.0.qty"},
                    "detail": {"type": "string", "example": "Must be a whole number."},
                },
                "required": ["field", "detail"],
            },
        },
    },
    "required": ["type", "title", "status"],
}
FAILED: Schema = {
    "description": "A problem: 400 wrong shape, 401 and 403 who asks, 404 nothing there, 409 the same key still runs, "
    "412 changed meanwhile, 422 refused by the rule named, 429 too often, 503 come back later.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}

PARAMETERS: Schema = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Your name of this request: repeated under the same key, it gets the first answer again. "
        "Answers are kept for 30 days, if the shop says nothing else.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "description": "The ETag of the order as you know it; 412 if it has changed since.",
        "schema": {"type": "string", "example": '"v1"'},
    },
    "ConsistencyToken": {
        "name": "Consistency-Token",
        "in": "header",
        "description": "The token of an earlier answer: this one will not be older.",
        "schema": {"type": "string"},
    },
}
HEADERS: Schema = {
    "ETag": {"description": "The version.", "schema": {"type": "string", "example": '"v1"'}},
    "Location": {"description": "Where it will be.", "schema": {"type": "string"}},
    "ConsistencyToken": {
        "description": "Send it with a question to see at least what this command did.",
        "schema": {"type": "string"},
    },
    "IdempotentReplayed": {
        "description": "`true` when this is the answer of an earlier request.",
        "schema": {"type": "string"},
    },
}


def complete(result: Schema, **_: Any) -> Schema:
    """Add what is the same for every operation; a hook of drf-spectacular."""
    components = result["components"]
    components["schemas"]["Problem"] = PROBLEM
    components |= {"parameters": PARAMETERS, "headers": HEADERS}
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            operation["responses"]["default"] = FAILED
            if path.startswith("/api/v1/") and path != "/api/v1/token":
                _add_headers(path, method, operation)
    return result


def _add_headers(path: str, method: str, operation: Schema) -> None:
    names = ["IdempotencyKey"] if method in COMMANDS else ["ConsistencyToken"]
    if (
        method in COMMANDS
        and path.startswith("/api/v1/orders/{order_id}/")
        and not path.endswith("credit-notes")
    ):
        names.append("IfMatch")
    operation.setdefault("parameters", []).extend(
        {"$ref": f"#/components/parameters/{name}"} for name in names
    )
    if method in COMMANDS:
        for status, response in operation["responses"].items():
            if status != "default":
                response["headers"] = _headers(path, status)


def _headers(path: str, status: str) -> Schema:
    told = {"Consistency-Token": "ConsistencyToken", "Idempotent-Replayed": "IdempotentReplayed"}
    if not path.endswith("credit-notes"):
        told["ETag"] = "ETag"
        if status == "201":
            told["Location"] = "Location"
    return {name: {"$ref": f"#/components/headers/{component}"} for name, component in told.items()}
