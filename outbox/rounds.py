"""Which subscribers a round of delivery feeds, and with which range of the log."""

from collections.abc import Sequence
from dataclasses import dataclass

from .folds import GenerationKey


@dataclass(frozen=True, slots=True)
class Member:
    """A generation of a projection where it stands; `is_put_off` while it waits for its next attempt."""

    key: GenerationKey
    position: int
    attempts: int = 0
    is_put_off: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Members that stand at one position and are folded together: positions > from_position and <= to_position."""

    members: tuple[Member, ...]
    from_position: int
    to_position: int


def groups(members: Sequence[Member], head: int, batch_size: int) -> list[Group]:
    """Group the members that have something to fold, the most behind first.

    A group never passes the position of the next one, so that it joins it. A member that failed stays alone, and its
    range is halved by each attempt: it comes right up to the event that breaks it.
    """
    able = [member for member in members if member.position < head and not member.is_put_off]
    together: dict[tuple[int, str], list[Member]] = {}
    for member in sorted(able, key=lambda member: (member.position, member.key)):
        alone = f"{member.key.projection} {member.key.generation}" if member.attempts else ""
        together.setdefault((member.position, alone), []).append(member)
    stops = sorted({member.position for member in able} | {head})
    return [
        Group(tuple(found), position, _stop(position, stops, batch_size, found[0].attempts))
        for (position, _), found in together.items()
    ]


def _stop(position: int, stops: Sequence[int], batch_size: int, attempts: int) -> int:
    events = min(batch_size, next(stop for stop in stops if stop > position) - position)
    return position + max(events >> attempts, 1)
