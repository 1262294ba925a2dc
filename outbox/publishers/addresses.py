"""Which addresses a webhook may be sent to: none that only we can reach, unless a setting allows its network.

The check is made on the address that is then connected to, never on a name: a name may mean something else a moment
later, and whoever chooses the endpoint chooses what its name means.
"""

import ipaddress
import queue
import socket
import threading
from collections.abc import Iterable
from urllib.parse import urlsplit

from ..exceptions import SubscriberUnavailable
from ..options import options

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
LONGEST_URL = 2_000

# Beside what Python calls not global: its older releases know less, and these lead to IPv4 or to nowhere.
NEVER = [
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
    )
]
TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")  # the last four bytes are an IPv4 address


class AddressRefused(SubscriberUnavailable):
    """The endpoint's address is none that webhooks may be sent to."""


def is_allowed(address: Address, *, plain: bool = False) -> bool:
    """Tell whether webhooks may be sent to an address; `plain` HTTP only goes to the networks of the settings."""
    address = _embedded(address)
    if any(address in network for network in _allowed_networks(address.version)):
        return True
    return not plain and _is_public(address)


def allowed_addresses(host: str, port: int, timeout_seconds: float, *, plain: bool) -> list[str]:
    """Resolve a host and return the addresses that may be connected to; raises AddressRefused when there is none."""
    found = _resolve(host, port, timeout_seconds)
    allowed = [text for text in found if is_allowed(ipaddress.ip_address(text.split("%")[0]), plain=plain)]
    if not allowed:
        how = "plain HTTP is sent" if plain else "webhooks are sent"
        raise AddressRefused(f"{host} is at {', '.join(found)}, where no {how}")
    return allowed


def check_url(url: str) -> None:
    """Raise ValueError, with what to do, for an address that no webhook can be sent to.

    Only what the text itself says: where a name leads is checked when it is connected to.
    """
    if len(url) > LONGEST_URL:
        raise ValueError(f"Give an address of at most {LONGEST_URL} characters.")
    if any(not "!" <= character <= "~" for character in url):
        raise ValueError("Write the address without spaces and other special characters.")
    parts = urlsplit(url)
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise ValueError("Give an address that begins with https:// and names a host.")
    if parts.username is not None or parts.password is not None:
        raise ValueError("Leave name and password out of the address: webhooks are signed instead.")
    if parts.fragment:
        raise ValueError("Leave out what comes after #: it is never sent.")
    if parts.port == 0:
        raise ValueError("Port 0 is no port.")
    _check_host(parts.hostname, plain=parts.scheme == "http")


def _check_host(host: str, *, plain: bool) -> None:
    networks = options().webhook_allowed_networks
    if plain and not networks:
        raise ValueError("Use https://. Plain HTTP is for networks in WEBHOOK_ALLOWED_NETWORKS only.")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if host == "localhost" and not networks:
            raise ValueError("localhost is this machine, where no webhooks are sent.") from None
        return
    if not is_allowed(address, plain=plain):
        raise ValueError(
            f"{host} is no public address, and not in WEBHOOK_ALLOWED_NETWORKS."
            if not plain
            else f"Use https://: {host} is not in WEBHOOK_ALLOWED_NETWORKS."
        )


def _is_public(address: Address) -> bool:
    is_special = address.is_multicast or address.is_reserved or any(address in network for network in NEVER)
    return address.is_global and not is_special


def _embedded(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address in TRANSLATED:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _allowed_networks(version: int) -> Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    networks = (ipaddress.ip_network(text) for text in options().webhook_allowed_networks)
    return [network for network in networks if network.version == version]


def _resolve(host: str, port: int, timeout_seconds: float) -> list[str]:
    """Ask for the addresses of a host, by a thread, as the resolver itself knows no time-out of ours."""
    answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            answers.put(error if isinstance(error, OSError) else OSError(str(error)))
        else:
            answers.put(list(dict.fromkeys(str(address[0]) for *_, address in found)))

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=timeout_seconds)
    except queue.Empty:
        raise SubscriberUnavailable(f"the address of {host} was not found in {timeout_seconds:g} s") from None
    if isinstance(answer, OSError):
        raise SubscriberUnavailable(f"the address of {host} was not found: {answer}") from answer
    return answer
