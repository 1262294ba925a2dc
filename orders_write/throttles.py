"""How often somebody may try to log in, counted alike for the page and for the API.

An attempt counts for its address, and for its name at that address: guessing gets slow, and yet nobody can lock a name
that they know out for all others. The counters lie in Django's cache, by default in the memory of each process, so
that logging in needs no further server; several processes let through as many times more.
"""

import hashlib
from ipaddress import ip_address, ip_network
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
        return _key(_network(self.get_ident(request)))


class NameThrottle(SimpleRateThrottle):
    """Slow down guessing the password of one name from one address."""

    scope = "log_in_name"
    rate = "10/min"

    def get_cache_key(self, request: Any, view: Any) -> str:
        """Count by the name, whether somebody has it or not, and the address."""
        return _key(_network(self.get_ident(request)), _name(request))


THROTTLES = (AddressThrottle, NameThrottle)


def seconds_to_wait(request: HttpRequest) -> int:
    """Count an attempt to log in by a form; return 0 if it may be made, else after how many seconds one may."""
    refusing = [each for each in (kind() for kind in THROTTLES) if not each.allow_request(request, None)]  # type: ignore[arg-type]
    return max((ceil(each.wait() or 1) for each in refusing), default=0)


def forget(request: Any) -> None:
    """Count the attempts for a name from 0 again, after one that succeeded; those of the address stay."""
    throttle = NameThrottle()
    throttle.cache.delete(throttle.get_cache_key(request, None))


def _name(request: Any) -> str:
    given = request.data if isinstance(request, Request) else request.POST
    name = str(given.get("username", "")) if isinstance(given, dict) else ""
    return User.normalize_username(name.strip())


def _network(address: str | None) -> str:
    """Return what one line of IPv6 has, a /64; other addresses, or what is none, as they are."""
    try:
        found = ip_address(address or "")
    except ValueError:
        return address or ""
    return str(ip_network(f"{found}/64", strict=False)) if found.version == 6 else str(found)


def _key(*parts: Any) -> str:
    text = "\n".join(map(str, parts))
    return f"log_in:{hashlib.sha256(text.encode(errors='replace')).hexdigest()}"
