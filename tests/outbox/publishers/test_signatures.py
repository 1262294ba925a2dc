"""Webhooks are signed as Standard Webhooks says: the standard's own library believes them."""

import base64

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from outbox.publishers import endpoints, signatures
from outbox.publishers.models import WebhookEndpoint
from tests.outbox.publishers.conftest import ACTOR, Shop
from tests.webhook_receiver import TAKEN, Answer


def believes(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Ask the standard's library."""
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


def test_every_attempt_is_signed_and_has_the_id_of_the_event(shop: Shop) -> None:
    secret = shop.endpoint()
    shop.receiver.answer(Answer(400))
    shop.log((1, 1))
    shop.deliver()
    shop.receiver.answer(TAKEN)
    shop.let_time_pass()
    shop.deliver()

    assert len(shop.receiver.requests) == 2
    assert all(believes(secret, headers, body) for headers, body in shop.receiver.requests)
    ((event_id,),) = shop.world.ask("SELECT event_id::text FROM event_log")
    assert {headers["webhook-id"] for headers, _ in shop.receiver.requests} == {event_id}


def test_a_changed_body_id_or_time_is_not_believed(shop: Shop) -> None:
    secret = shop.endpoint()
    shop.log((1, 1))
    shop.deliver()
    ((headers, body),) = shop.receiver.requests

    assert not believes(secret, headers, body + b" ")
    assert not believes(secret, headers | {"webhook-id": "another"}, body)
    assert not believes(
        secret, headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) - 1)}, body
    )
    assert not believes(signatures.new_secret(), headers, body)


def test_old_and_new_secret_both_fit_while_one_replaces_the_other(shop: Shop) -> None:
    old = shop.endpoint()
    new = endpoints.rotate_secret(ACTOR, "shop", keep_hours=1)
    shop.log((1, 1))
    shop.deliver()
    ((headers, body),) = shop.receiver.requests
    assert believes(old, headers, body)
    assert believes(new, headers, body)


def test_the_old_secret_fits_no_longer_when_its_time_is_over(shop: Shop) -> None:
    old = shop.endpoint()
    new = endpoints.rotate_secret(ACTOR, "shop", keep_hours=0)
    shop.receiver.secrets.append(new)
    shop.log((1, 1))
    shop.deliver()
    ((headers, body),) = shop.receiver.requests
    assert not believes(old, headers, body)
    assert believes(new, headers, body)


def test_secrets_are_long_and_never_the_same(shop: Shop) -> None:
    secrets = {shop.endpoint(name) for name in ("one", "two", "three")}
    assert len(secrets) == WebhookEndpoint.objects.count() == 3
    assert all(len(signatures.key_of(secret)) == signatures.SECRET_BYTES for secret in secrets)


@pytest.mark.parametrize(
    "text", ["", "abc", "whsec_", "whsec_!!", "whsec_" + base64.b64encode(b"short").decode()]
)
def test_what_is_no_secret_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="secret"):
        signatures.key_of(text)
