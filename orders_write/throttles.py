"""How often somebody may try to log in, counted alike for the page and for the API.

An attempt counts for its address, and for its name at that address: guessing gets slow, and yet nobody can lock a name
that they know out for all others. The counters lie in Django's cache, by default in the memory of each process, so
that logging in needs no further server; several processes let through as many times more.
"""

import hashlib
from math import ceil
from typing import Any

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from .models import User


class AddressThrottle(SimpleRateThrottle):
    """Slow down guessing from one address; what a client says about its own is not believed."""

    scope = "log_in_address"
    rate = "60/min"

    def get_cache_key(self, request: Any, view: Any) -> str:
        """Count by the address of the connection, or the one that our own proxy tells."""
        return _key(self.get_ident(request))


class NameThrottle(SimpleRateThrottle):
    """Slow down guessing the password of one name from one address."""

    scope = "log_in_name"
    rate = "10/min"

    def get_cache_key(self, request: Any, view: Any) -> str:
        """Count by the name, whether somebody has it or not, and the address."""
        return _key(self.get_ident(request), _name(request))


THROTTLES = (AddressThrottle, NameThrottle)


def seconds_to_wait(request: HttpRequest) -> int:
    """Count an attempt to log in by a form; return 0 if it may be made, else after how many seconds one may."""
    refusing = [each for each in (kind() for kind in THROTTLES) if not each.allow_request(request, None)]  # type: ignore[arg-type]
    return max((ceil(each.wait() or 1) for each in refusing), default=0)


def _name(request: Any) -> str:
    given = request.data if isinstance(request, Request) else request.POST
    name = str(given.get("username", "")) if isinstance(given, dict) else ""
    return User.normalize_username(name)


def _key(*parts: Any) -> str:
    text = "\n".join(map(str, parts))
    return f"log_in:{hashlib.sha256(text.encode(errors='replace')).hexdigest()}"
