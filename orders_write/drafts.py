"""What a form was told that was refused: kept in the session until the form succeeds, for the page to show again."""

from typing import Any

from django.http import HttpRequest

from .forms import MOST_LINES, Line, typed_lines

Draft = dict[str, Any]


def draft_of(request: HttpRequest, form: str) -> Draft:
    """Return what is kept of a form, or an empty draft; lines that an older session holds are read like typed ones."""
    kept: Draft = request.session.get("drafts", {}).get(form) or {"lines": [], "values": {}, "errors": {}}
    return kept | {"lines": typed_lines((line["sku"], line["qty"]) for line in kept["lines"])}


def keep(request: HttpRequest, form: str, draft: Draft) -> None:
    """Keep a draft in the place of an earlier one of the same form; no more of its lines than a form can send."""
    cut = draft | {"lines": draft["lines"][:MOST_LINES]}
    request.session["drafts"] = {**request.session.get("drafts", {}), form: cut}


def drop(request: HttpRequest, form: str) -> None:
    """Forget a draft."""
    kept = request.session.get("drafts", {})
    request.session["drafts"] = {name: draft for name, draft in kept.items() if name != form}


def errors_of(rule: str, message: str, details: dict[str, Any], lines: list[Line]) -> dict[str, str]:
    """Put a refusal where it belongs: at the lines of its product, at the fields it misses, or at the whole form."""
    if "sku" in details:
        for line in lines:
            if line["sku"] == details["sku"]:
                line["error"] = _about_product(rule, message, details)
    match rule:
        case "AddressInvalid":
            return dict.fromkeys(details["missing"], "This is needed to ship the order.")
        case "NoLines":
            return {"lines": message}
        case "ReferenceUsed":
            return {"reference": message}
        case "AmountNotOpenAmount":
            return {"amount": "The open amount changed meanwhile; here is the new one."}
        case _:
            return {} if "sku" in details else {"order": message}


def _about_product(rule: str, message: str, details: dict[str, Any]) -> str:
    if rule == "NotEnoughStock":
        return f"There is not enough stock: {details['available']} available."
    return message
