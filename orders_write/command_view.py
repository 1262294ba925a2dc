"""What every command over HTTP shares: who asks, under which key, upon which version, and the answer that is kept."""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import UUID

import orjson
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.utils import timezone
from django.utils.http import parse_etags
from rest_framework import exceptions as rest
from rest_framework import status
from rest_framework.views import APIView

from outbox.epoch import current_epoch
from outbox.tokens import HEADER, renewed

from .commands import Command
from .documents import Document, document_of
from .exceptions import NotFound, Refusal
from .handlers import handle
from .idempotency import Answer, Key
from .permissions import may_change_orders
from .requests import Outcome, Request, token_of
from .serializers import TrustedBody

KEY = re.compile(r"[!-~]{1,200}")
VERSION = re.compile(r'"v([0-9]{1,18})"')
TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
LONGEST_CORRELATION_ID = 128
TRUSTED = "orders_write.trusted_source"

BodyKind = TypeVar("BodyKind", bound=TrustedBody)


class CommandView(APIView):
    """A view that turns a request into one command and answers with what became of it.

    `depends_on_version` says that If-Match means something here; elsewhere it is refused rather than ignored.
    `summed_up` names the field whose amounts are added to what is there, and so may become too large to keep.
    """

    depends_on_version = False
    summed_up: str | None = None

    def read(self, kind: type[BodyKind]) -> BodyKind:
        """Read the body; raises ValidationError, and PermissionDenied for what only a trusted source may say."""
        body = kind(data=self.request.data)
        body.is_valid(raise_exception=True)
        if (trusted := list(body.trusted_fields())) and not self.request.user.has_perm(TRUSTED):
            raise PermissionDenied(f"Only a trusted source may give {', '.join(trusted)}. Leave it out.")
        return body

    def run(self, body: TrustedBody, command: Command, *, created: str | None = None) -> HttpResponse:
        """Carry the command out and answer with what it led to.

        `created` is the member of the answer that names what was created, for its Location; empty when that has no
        address. A refusal is answered, and kept under the key like any other answer.
        """
        epoch = current_epoch()

        def render(outcome: Outcome) -> Answer:
            if isinstance(outcome.refusal, Refusal):
                return self._refused(outcome.refusal)
            return self._answer(document_of(outcome, asked), token_of(outcome, epoch), created)

        asked = self._request(body, command, render)
        try:
            outcome = handle(asked)
        except NotFound as error:
            if "order_id" in error.details and self.request.user.is_staff and asked.only_user_id is not None:
                raise PermissionDenied(
                    "Your account may look at others' orders, but not change them."
                ) from error
            raise
        return _response(outcome.answer or render(outcome), epoch, replayed=outcome.replayed)

    def _request(self, body: TrustedBody, command: Command, render: Callable[[Outcome], Answer]) -> Request:
        user, headers = self.request.user, self.request.headers
        traceparent = headers.get("traceparent", "")
        return Request(
            command=command,
            actor=f"user:{user.pk}",
            now=body.validated_data.get("occurred_at") or timezone.now(),
            key=self._key(),
            expected_versions=self._expected_versions(),
            only_user_id=None if may_change_orders(user) else user.pk,
            correlation_id=_correlation_id(headers),
            traceparent=traceparent if TRACEPARENT.fullmatch(traceparent) else "",
            render=render,
        )

    def _expected_versions(self) -> tuple[int, ...] | None:
        """Read If-Match: any of the listed tags may match, but one that is not ours, or a weak one, matches nothing."""
        if_match = self.request.headers.get("If-Match")
        if if_match is None or if_match.strip() == "*":
            return None
        if not self.depends_on_version:
            raise rest.ValidationError({"If-Match": "Only commands upon an order can depend on a version."})
        known = (VERSION.fullmatch(tag) for tag in parse_etags(if_match))
        return tuple(int(tag[1]) for tag in known if tag)

    def _key(self) -> Key | None:
        """Return the caller's key: theirs alone, for this route alone, and for this path and body alone."""
        value = self.request.headers.get("Idempotency-Key")
        if value is None:
            return None
        if not KEY.fullmatch(value):
            raise rest.ValidationError({"Idempotency-Key": "Must be 1 to 200 visible ASCII characters."})
        method, match = self.request.method, self.request.resolver_match
        scope = f"user:{self.request.user.pk} {method} {match.view_name if match else ''}"
        return Key(scope, value, _fingerprint(f"{method} {self.request.path}", self.request.data))

    def _answer(self, document: Document, token: str, created: str | None) -> Answer:
        headers = {"Content-Type": "application/json", HEADER: token}
        if "version" in document:
            headers["ETag"] = f'"v{document["version"]}"'
        if created:
            headers["Location"] = f"{self.request.path}/{quote(document[created], safe='')}"
        code = status.HTTP_200_OK if created is None else status.HTTP_201_CREATED
        return Answer(status=code, headers=headers, body=orjson.dumps(document).decode())

    def _refused(self, refusal: Refusal) -> Answer:
        response = self.get_exception_handler()(refusal, self.get_exception_handler_context())
        headers = {"Content-Type": response["Content-Type"]}
        return Answer(status=response.status_code, headers=headers, body=response.content.decode())


def _response(answer: Answer, epoch: UUID, *, replayed: bool) -> HttpResponse:
    """Hand an answer on; one that was kept has a token of the epoch of that time."""
    headers = dict(answer.headers)
    if replayed:
        headers["Idempotent-Replayed"] = "true"
        if HEADER in headers:
            headers[HEADER] = renewed(headers[HEADER], epoch)
    return HttpResponse(answer.body, status=answer.status, headers=headers)


def _fingerprint(route: str, body: Any) -> bytes:
    """Hash what was asked; the same body with other spaces or another order of keys is the same."""
    canonical = orjson.dumps(body, option=orjson.OPT_SORT_KEYS, default=str)
    return hashlib.sha256(route.encode() + b"\n" + canonical).digest()


def _correlation_id(headers: Mapping[str, str]) -> str:
    given = headers.get("X-Correlation-ID") or headers.get("X-Request-ID") or ""
    return given[:LONGEST_CORRELATION_ID] if given.isprintable() else ""
