"""Exchange a name and a password for the token that the API's other requests carry."""

from typing import Any

from django.contrib.auth import authenticate
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.authtoken.models import Token
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from .fields import Body, Text


class CredentialsBody(Body):
    """Who asks."""

    username = Text(max_length=150)
    password = Text(max_length=1_000, style={"input_type": "password"})


class TokenAnswer(serializers.Serializer[Any]):
    """What to send as `Authorization: Token …`."""

    token = serializers.CharField()


class AddressThrottle(SimpleRateThrottle):
    """Slow down guessing from one address; what a client says about itself is not believed."""

    scope = "token_address"
    rate = "60/min"

    def get_cache_key(self, request: Request, view: Any) -> str:
        """Count by the address of the connection."""
        return f"throttle:address:{request.META.get('REMOTE_ADDR', '')}"


class UsernameThrottle(SimpleRateThrottle):
    """Slow down guessing the password of one name, from wherever."""

    scope = "token_username"
    rate = "10/min"

    def get_cache_key(self, request: Request, view: Any) -> str:
        """Count by the name, whether somebody has it or not."""
        given = request.data
        name = str(given.get("username", "") if isinstance(given, dict) else "").encode(errors="replace")
        return f"throttle:username:{name.hex()[:200]}"


class ObtainToken(APIView):
    """Log a program in."""

    authentication_classes = []
    permission_classes = [AllowAny]
    throttle_classes = [AddressThrottle, UsernameThrottle]

    @extend_schema(
        operation_id="obtain_token", tags=["login"], request=CredentialsBody, responses=TokenAnswer, auth=[]
    )
    def post(self, request: Request) -> Response:
        """Answer the token of a user; the same one every time."""
        body = CredentialsBody(data=request.data)
        body.is_valid(raise_exception=True)
        user = authenticate(request, **body.validated_data)
        if user is None:
            raise AuthenticationFailed("The name or the password is wrong.")
        token, _ = Token.objects.get_or_create(user=user)
        return Response({"token": token.key}, headers={"Cache-Control": "no-store"})

    def get_authenticate_header(self, request: Request) -> str:
        """Name the scheme, or the framework would answer 403 instead of 401."""
        return "Token"
