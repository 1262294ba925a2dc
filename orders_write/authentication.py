"""Know the user of a request by its token."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import InterfaceError, OperationalError, connection
from rest_framework.authentication import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed

# In the order of the model's fields, as `from_db` wants them; the others are loaded when somebody asks.
COLUMNS = ("id", "is_superuser", "username", "is_staff", "is_active", "customer_number")
USER_OF_TOKEN = f"""
SELECT {", ".join(COLUMNS)} FROM authtoken_token JOIN users ON users.id = user_id WHERE key = %s
"""


class PlainTokenAuthentication(TokenAuthentication):
    """Find the user of a token by one plain statement: the ORM's way took a fifth of a request."""

    def authenticate_credentials(self, key: str) -> tuple[AbstractBaseUser, str]:
        """Return the user; raises AuthenticationFailed."""
        row = _row_of(key)
        user = get_user_model().from_db(connection.alias, COLUMNS, row) if row else None
        if user is None or not user.is_active:
            raise AuthenticationFailed("The token is not valid.")
        return user, key


def _row_of(key: str) -> tuple[Any, ...] | None:
    """Ask for the token's user; again on a new connection when the old one is gone.

    So this statement, the first of its request, is also the health check that Django would otherwise send before it.
    """
    connection.health_check_done = True  # type: ignore[attr-defined]
    try:
        return _ask(key)
    except (OperationalError, InterfaceError):
        connection.close()
        return _ask(key)


def _ask(key: str) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(USER_OF_TOKEN, [key])
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row
