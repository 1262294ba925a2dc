"""Consistency tokens: signed notes of how far the log had come, which a read shows to see at least as much.

A command knows its message but not its position yet, so its token names the message; a read's token names a position.
"""

from dataclasses import dataclass
from uuid import UUID

from django.core import signing

from .exceptions import InvalidToken

SIGNER = signing.Signer(salt="consistency", sep="~")


@dataclass(frozen=True, slots=True)
class CommandToken:
    """The highest message of a command; `head` is the log's newest position when it ran, below the message's."""

    epoch: UUID
    message_id: int
    head: int


@dataclass(frozen=True, slots=True)
class ReadToken:
    """The position up to which a reader has seen."""

    epoch: UUID
    position: int


Token = CommandToken | ReadToken


def sign(token: Token) -> str:
    """Write a token as text that fits into a header."""
    if isinstance(token, CommandToken):
        return SIGNER.sign(_text("c", token.epoch.int, token.message_id, token.head))
    return SIGNER.sign(_text("r", token.epoch.int, token.position))


def parse(text: str) -> Token:
    """Read what `sign` wrote; raises InvalidToken for anything else. The caller asks whether the epoch is today's."""
    try:
        kind, *numbers = SIGNER.unsign(text).split(".")
        epoch, *rest = map(signing.b62_decode, numbers)
        token: Token = {"c": CommandToken, "r": ReadToken}[kind](UUID(int=epoch), *rest)
    except (signing.BadSignature, ValueError, KeyError, TypeError) as error:
        raise InvalidToken from error
    return token


def _text(kind: str, *numbers: int) -> str:
    return ".".join([kind, *map(signing.b62_encode, numbers)])
