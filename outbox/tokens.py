"""Consistency tokens: signed notes of how far the log had come, which a read shows to see at least as much.

A command knows its message but not its position yet, so its token names the message; a read's token names a position.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from django.core import signing

from .exceptions import InvalidToken

SIGNER = signing.Signer(salt="consistency", sep="~")
HEADER = "Consistency-Token"
NAME = "consistency_token"  # of the parameter of a link, and of a browser's cookie


@dataclass(frozen=True, slots=True)
class CommandToken:
    """The highest message of a command; `head` is the log's newest position when it ran, below the message's.

    `others` are its other messages: each may tell of another aggregate, any of which may be parked.
    """

    epoch: UUID
    message_id: int
    head: int
    others: tuple[int, ...] = ()

    @property
    def message_ids(self) -> tuple[int, ...]:
        """All messages of the command."""
        return (*self.others, self.message_id)


@dataclass(frozen=True, slots=True)
class ReadToken:
    """The position up to which a reader has seen."""

    epoch: UUID
    position: int


Token = CommandToken | ReadToken


def sign(token: Token) -> str:
    """Write a token as text that fits into a header."""
    if isinstance(token, CommandToken):
        others = (token.message_id - other for other in token.others)
        return SIGNER.sign(_text("c", token.epoch.int, token.message_id, token.head, *others))
    return SIGNER.sign(_text("r", token.epoch.int, token.position))


def parse(text: str) -> Token:
    """Read what `sign` wrote; raises InvalidToken for anything else. The caller asks whether the epoch is today's."""
    try:
        kind, *numbers = SIGNER.unsign(text).split(".")
        epoch, *rest = map(signing.b62_decode, numbers)
        token = KINDS[kind](UUID(int=epoch), *rest)
    except (signing.BadSignature, ValueError, KeyError, TypeError) as error:
        raise InvalidToken from error
    return token


def renewed(text: str, epoch: UUID) -> str:
    """Sign anew what was kept in this very database, which may have been restored with what it tells of."""
    return sign(replace(parse(text), epoch=epoch))


def _command_token(epoch: UUID, message_id: int, head: int, *others: int) -> CommandToken:
    return CommandToken(epoch, message_id, head, tuple(message_id - other for other in others))


KINDS: dict[str, Callable[..., Token]] = {"c": _command_token, "r": ReadToken}


def _text(kind: str, *numbers: int) -> str:
    return ".".join([kind, *map(signing.b62_encode, numbers)])
