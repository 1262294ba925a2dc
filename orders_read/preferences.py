"""What a request prefers (RFC 7240): how long it would wait, and whether it takes what is older than it asked for."""

import re
from dataclasses import dataclass

DEFAULT_WAIT_SECONDS = 2
LONGEST_WAIT_SECONDS = 10
PREFERENCE = re.compile(r"\s*([^\s=;,]+)\s*(?:=\s*(?:\"([^\"]*)\"|([^\s;,]*)))?[^,]*")


@dataclass(frozen=True, slots=True)
class Preferences:
    """The preferences that mean something here; `applied` is what Preference-Applied says."""

    wait_seconds: int = DEFAULT_WAIT_SECONDS
    takes_older: bool = False
    applied: str = ""


def preferences_of(header: str) -> Preferences:
    """Read a Prefer header; the first of a kind counts, and what is not known or not understood is passed over."""
    given: dict[str, str] = {}
    for name, quoted, plain in PREFERENCE.findall(header):
        given.setdefault(name.lower(), quoted or plain)
    wait, wait_seconds = given.get("wait", ""), DEFAULT_WAIT_SECONDS
    applied = []
    if re.fullmatch(r"[0-9]{1,9}", wait):
        wait_seconds = min(int(wait), LONGEST_WAIT_SECONDS)
        applied.append(f"wait={wait_seconds}")
    takes_older = given.get("handling", "").lower() == "lenient"
    if takes_older:
        applied.append("handling=lenient")
    return Preferences(wait_seconds, takes_older, ", ".join(applied))
