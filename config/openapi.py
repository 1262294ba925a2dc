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
PROBLEM_CONTENT: Schema = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
FAILED: Schema = {
    "description": "A problem: 400 wrong shape, 401 and 403 who asks, 404 nothing there, 409 the same key still runs, "
    "412 changed meanwhile, 422 refused by the rule named, 429 too often, 503 come back later.",
    "content": PROBLEM_CONTENT,
}
RETRY_AFTER: Schema = {"Retry-After": {"$ref": "#/components/headers/RetryAfter"}}
RESPONSES: Schema = {
    "Invalid": {
        "description": "The shape is wrong: `errors` names what is.",
        "content": PROBLEM_CONTENT,
    },
    "InvalidQuestion": {
        "description": "A parameter is wrong, `errors` names which; or the consistency token is: "
        "`urn:orders:InvalidToken` was not signed here, `urn:orders:ForeignToken` is from before a restore, "
        "`urn:orders:FutureToken` tells of what never happened. Go on without the token.",
        "content": PROBLEM_CONTENT,
    },
    "Unavailable": {
        "description": "The database cannot answer now. The same request may succeed later.",
        "headers": RETRY_AFTER,
        "content": PROBLEM_CONTENT,
    },
    "ReadModelBehind": {
        "description": "`urn:orders:read-model-behind`: the read model has not reached what the token tells of. "
        "`details` are `reason` (`behind` after the wait; at once `paused`, `parked` where an event could not be taken "
        "in, `busy` where too many wait), `read_model`, `required` and `current` (positions in the event log; "
        "`required` is null while it has none), `lag` (events between them) and `lag_seconds`. "
        "Or the database cannot answer now.",
        "headers": {**RETRY_AFTER, "Preference-Applied": {"$ref": "#/components/headers/PreferenceApplied"}},
        "content": PROBLEM_CONTENT,
    },
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
        "description": "The token of an earlier answer, of a command or a question, or several with commas between: "
        "this answer will not be older. It is waited for, 2 seconds if `Prefer` says nothing else.",
        "schema": {"type": "string"},
    },
    "ConsistencyTokenOfLink": {
        "name": "consistency_token",
        "in": "query",
        "description": "The same, in a link.",
        "schema": {"type": "string"},
    },
    "Prefer": {
        "name": "Prefer",
        "in": "header",
        "description": "`wait=N`: wait up to N seconds (at most 10) for what the token tells of. `handling=lenient`: "
        "then rather an older answer, marked by `Read-Model-Stale`, than none. RFC 7240.",
        "schema": {"type": "string", "example": "wait=5, handling=lenient"},
    },
}
HEADERS: Schema = {
    "ETag": {"description": "The version.", "schema": {"type": "string", "example": '"v1"'}},
    "Location": {"description": "Where it will be.", "schema": {"type": "string"}},
    "ConsistencyToken": {
        "description": "Send it with a question to see at least what this command did, or what this answer showed.",
        "schema": {"type": "string"},
    },
    "ReadModelLag": {
        "description": "How old the oldest event is that this answer may lack, in seconds; 0.000 when there is none.",
        "schema": {"type": "string", "example": "0.004"},
    },
    "ReadModelParked": {
        "description": "How many aggregates (orders, products, …) have events that could not be taken in yet. Left out "
        "when none have.",
        "schema": {"type": "string", "example": "1"},
    },
    "ReadModelStale": {
        "description": "`true` when this answer is older than the consistency token demands.",
        "schema": {"type": "string"},
    },
    "PreferenceApplied": {
        "description": "What was heeded of Prefer.",
        "schema": {"type": "string", "example": "wait=5"},
    },
    "RetryAfter": {"description": "Seconds.", "schema": {"type": "string", "example": "1"}},
    "IdempotentReplayed": {
        "description": "`true` when this is the answer of an earlier request.",
        "schema": {"type": "string"},
    },
}


OF_COMMANDS: Schema = {"Consistency-Token": "ConsistencyToken", "Idempotent-Replayed": "IdempotentReplayed"}
OF_QUESTIONS: Schema = {
    "Consistency-Token": "ConsistencyToken",
    "Read-Model-Lag": "ReadModelLag",
    "Read-Model-Parked": "ReadModelParked",
    "Read-Model-Stale": "ReadModelStale",
    "Preference-Applied": "PreferenceApplied",
}
OF_COMMAND_FAILURES: Schema = {"400": "Invalid", "503": "Unavailable"}
OF_QUESTION_FAILURES: Schema = {"400": "InvalidQuestion", "503": "ReadModelBehind"}


def complete(result: Schema, **_: Any) -> Schema:
    """Add what is the same for every operation; a hook of drf-spectacular."""
    components = result["components"]
    components["schemas"]["Problem"] = PROBLEM
    components |= {"parameters": PARAMETERS, "headers": HEADERS, "responses": RESPONSES}
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            if path.startswith("/api/v1/"):
                _add_headers(path, method, operation)
                _add_failures(method, operation)
            operation["responses"]["default"] = FAILED
    return result


def _add_headers(path: str, method: str, operation: Schema) -> None:
    if path == "/api/v1/token":
        return
    names = (
        ["IdempotencyKey"] if method in COMMANDS else ["ConsistencyToken", "ConsistencyTokenOfLink", "Prefer"]
    )
    if (
        method in COMMANDS
        and path.startswith("/api/v1/orders/{order_id}/")
        and not path.endswith("credit-notes")
    ):
        names.append("IfMatch")
    operation.setdefault("parameters", []).extend(
        {"$ref": f"#/components/parameters/{name}"} for name in names
    )
    for status, response in operation["responses"].items():
        response["headers"] = _headers(path, method, status)


def _headers(path: str, method: str, status: str) -> Schema:
    told = dict(OF_COMMANDS if method in COMMANDS else OF_QUESTIONS)
    if method in COMMANDS and not path.endswith("credit-notes"):
        told["ETag"] = "ETag"
        if status == "201":
            told["Location"] = "Location"
    return {name: {"$ref": f"#/components/headers/{component}"} for name, component in told.items()}


def _add_failures(method: str, operation: Schema) -> None:
    failures = OF_COMMAND_FAILURES if method in COMMANDS else OF_QUESTION_FAILURES
    for status, name in failures.items():
        operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
