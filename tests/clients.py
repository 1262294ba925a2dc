"""Clients of the API, each logged in as somebody; every answer is compared with the API's schema."""

from threading import Lock
from typing import Any

import jsonschema
from django.contrib.auth.models import Permission
from django.urls import resolve
from drf_spectacular.generators import SchemaGenerator
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from orders_write.models import User

PROBLEM = "application/problem+json"
COMMANDS = ("change_order", "change_product", "change_creditaccount", "add_creditnote")
SCHEMA: dict[str, Any] = {}
MAKING_SCHEMA = Lock()


class CheckedClient(APIClient):
    """A client that takes no answer which the schema does not foresee."""

    def request(self, **request: Any) -> Any:
        """Send it, and compare the answer."""
        response = super().request(**request)
        if request["PATH_INFO"].startswith("/api/v1/") and request["REQUEST_METHOD"] in (
            "GET",
            "POST",
            "PUT",
        ):
            check(request["REQUEST_METHOD"].lower(), request["PATH_INFO"], response)
        return response


def anonymous() -> CheckedClient:
    return CheckedClient()


def client_of(user_id: int) -> CheckedClient:
    """Log a user in by token."""
    client = CheckedClient()
    token, _ = Token.objects.get_or_create(user_id=user_id)
    client.credentials(HTTP_AUTHORIZATION=f"Token {token.key}")
    client.user_id = user_id
    return client


def staff(name: str = "clerk", **options: Any) -> CheckedClient:
    """Log somebody in who may run all commands of the shop's staff."""
    return client_of(shop_assistant(name, **options).pk)


def shop_assistant(name: str, **options: Any) -> User:
    """Create somebody of the staff who may run all commands, but is no trusted source."""
    return permit(User.objects.create(username=name, is_staff=True, **options), *COMMANDS)


def permit(user: User, *names: str) -> User:
    """Give a user permissions."""
    user.user_permissions.add(*Permission.objects.filter(codename__in=names))
    return user


def trusted(name: str = "importer") -> CheckedClient:
    return staff(name, is_superuser=True)


def check(method: str, path: str, response: Any) -> None:
    """Compare a response with what the schema says of its operation."""
    operation = schema()["paths"].get(_template(path), {}).get(method)
    if operation is None:
        assert response.status_code in (404, 405), f"{method} {path} is not in the schema"
    if response.status_code == 304:
        return
    if response.status_code >= 400:
        assert response["Content-Type"] == PROBLEM, response.content
        _validate(response.json(), {"$ref": "#/components/schemas/Problem"})
        assert response.json()["status"] == response.status_code
        return
    assert response["Content-Type"] == "application/json"
    content = operation["responses"][str(response.status_code)]["content"]
    _validate(response.json(), content["application/json"]["schema"])


def schema() -> dict[str, Any]:
    with MAKING_SCHEMA:  # the generator is not made for threads
        if not SCHEMA:
            SCHEMA.update(SchemaGenerator().get_schema(request=None, public=True))
    return SCHEMA


def _template(path: str) -> str:
    try:
        route = resolve(path).route
    except Exception:  # noqa: BLE001 – a path that leads nowhere has no operation
        return ""
    return "/" + route.replace("<int:", "{").replace("<str:", "{").replace(">", "}")


def _validate(value: Any, part: dict[str, Any]) -> None:
    jsonschema.validate(
        value, {"components": _closed(schema()["components"]), **part}, jsonschema.Draft202012Validator
    )


def _closed(components: dict[str, Any]) -> dict[str, Any]:
    """Let no object have members that its schema does not name, but where it says that there are others."""
    closed = {
        name: {"additionalProperties": False, **each} if each.get("type") == "object" else each
        for name, each in components["schemas"].items()
    }
    return {"schemas": closed}
