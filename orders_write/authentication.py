"""Know the user of a request by its token."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection
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
        with connection.cursor() as cursor:
            cursor.execute(USER_OF_TOKEN, [key])
            row = cursor.fetchone()
        user = get_user_model().from_db(connection.alias, COLUMNS, row) if row else None
        if user is None or not user.is_active:
            raise AuthenticationFailed("The token is not valid.")
        return user, key
