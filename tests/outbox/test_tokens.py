"""Tests of the consistency tokens."""

from uuid import UUID

import pytest
from django.core.signing import Signer

from outbox.exceptions import InvalidToken
from outbox.tokens import SIGNER, CommandToken, ReadToken, parse, sign

EPOCH = UUID("00112233-4455-6677-8899-aabbccddeeff")


@pytest.mark.parametrize("token", [CommandToken(EPOCH, 2**62, 0), ReadToken(EPOCH, 17)])
def test_a_token_is_read_as_it_was_signed(token):
    text = sign(token)

    assert parse(text) == token
    assert text.isascii()
    assert len(text) < 120


@pytest.mark.parametrize(
    "text",
    [
        "",
        "~",
        "nonsense",
        "é",
        "c.1.2.3",
        SIGNER.sign("c.1.2"),
        SIGNER.sign("x.1.2"),
        SIGNER.sign("c"),
        sign(ReadToken(EPOCH, 17)).replace("r", "c", 1),
        sign(ReadToken(EPOCH, 17))[:-1],
    ],
)
def test_anything_else_is_no_token(text):
    with pytest.raises(InvalidToken):
        parse(text)


def test_a_token_of_another_installation_is_not_believed():
    text = Signer(key="another", salt=SIGNER.salt, sep=SIGNER.sep).sign("r.1.17")

    with pytest.raises(InvalidToken):
        parse(text)
