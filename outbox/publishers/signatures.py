"""Sign webhooks as Standard Webhooks (standardwebhooks.com) says: HMAC-SHA256 over `id.timestamp.body`."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence

PREFIX = "whsec_"
SECRET_BYTES = 32
LEAST_BYTES, MOST_BYTES = 24, 64


def new_secret() -> str:
    """Make a secret."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def key_of(secret: str) -> bytes:
    """Read the key out of a secret; raises ValueError for what is none."""
    if not secret.startswith(PREFIX):
        raise ValueError(f"A secret begins with {PREFIX}.")
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError(f"After {PREFIX} a secret is Base64.") from error
    if not LEAST_BYTES <= len(key) <= MOST_BYTES:
        raise ValueError(f"A secret has {LEAST_BYTES} to {MOST_BYTES} bytes.")
    return key


def headers(event_id: str, sent_at: int, body: bytes, keys: Sequence[str]) -> dict[str, str]:
    """Make the headers of a webhook, with a signature for each secret; `sent_at` in seconds since 1970.

    While a secret is being replaced there are two, so that the receiver may change at any time in between.
    """
    signed = b"%s.%d.%s" % (event_id.encode(), sent_at, body)
    digests = [hmac.digest(key_of(secret), signed, hashlib.sha256) for secret in keys]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(sent_at),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests),
    }
