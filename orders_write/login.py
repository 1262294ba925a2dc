"""Log in with a name and a password: a person for a session, a program for the token of its other requests."""

from http import HTTPStatus
from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.authtoken.models import Token
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from .fields import Body, Text
from .throttles import THROTTLES, forget, seconds_to_wait
from .token_cookie import drop_token


class CredentialsBody(Body):
    """Who asks."""

    username = Text(max_length=150)
    password = Text(max_length=1_000, style={"input_type": "password"})


class TokenAnswer(serializers.Serializer[Any]):
    """What to send as `Authorization: Token …`."""

    token = serializers.CharField()


class LogInForm(AuthenticationForm):
    """A name and a password; the attempt is counted before the password is looked at."""

    wait_seconds = 0

    def clean(self) -> dict[str, Any]:
        """Check the password, if one more may be tried."""
        assert self.request is not None
        self.wait_seconds = seconds_to_wait(self.request)
        if self.wait_seconds:
            raise ValidationError(f"Too many attempts. Try again in {self.wait_seconds} seconds.")
        cleaned = super().clean()
        forget(self.request)
        return cleaned


class LogIn(LoginView):
    """Log a person in."""

    template_name = "login.html"
    form_class = LogInForm

    def form_invalid(self, form: Any) -> HttpResponse:
        """Show the form again."""
        response = super().form_invalid(form)
        if form.wait_seconds:
            response.status_code = HTTPStatus.TOO_MANY_REQUESTS
            response["Retry-After"] = str(form.wait_seconds)
        return response


class LogOut(LogoutView):
    """Log a person out, and leave nothing of theirs in the browser."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Log out."""
        response = super().post(request, *args, **kwargs)
        drop_token(response)
        return response


class ObtainToken(APIView):
    """Log a program in."""

    authentication_classes = []
    permission_classes = [AllowAny]
    throttle_classes = THROTTLES

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
        forget(request)
        token, _ = Token.objects.get_or_create(user=user)
        return Response({"token": token.key}, headers={"Cache-Control": "no-store"})

    def get_authenticate_header(self, request: Request) -> str:
        """Name the scheme, or the framework would answer 403 instead of 401."""
        return "Token"
