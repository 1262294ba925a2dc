"""Which generations a round of delivery feeds together, and with which range of the log."""

from collections.abc import Sequence
from dataclasses import dataclass

from .folds import GenerationKey


@dataclass(frozen=True, slots=True)
class Member:
    """A generation of a projection where it stands.

    `has_parked` says that some aggregates wait behind dead letters; `suspect_to` is the end of a range that another
    owner began to fold from here and never brought to an end.
    """

    key: GenerationKey
    position: int
    has_parked: bool = False
    suspect_to: int | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Members that stand at one position and are folded together: positions > from_position and <= to_position."""

    members: tuple[Member, ...]
    from_position: int
    to_position: int

    @property
    def events(self) -> int:
        """Say how many events the range has."""
        return self.to_position - self.from_position

    @property
    def keys(self) -> list[GenerationKey]:
        """List the generations."""
        return [member.key for member in self.members]

    @property
    def parked(self) -> set[GenerationKey]:
        """List the generations for which some aggregates are left out."""
        return {member.key for member in self.members if member.has_parked}


def groups(members: Sequence[Member], head: int, batch_size: int) -> list[Group]:
    """Group the members that have something to fold, the most behind first.

    A group never passes the position of the next one, so that it joins it.
    """
    able = [member for member in members if member.position < head]
    together: dict[int, list[Member]] = {}
    for member in sorted(able, key=lambda member: (member.position, member.key)):
        together.setdefault(member.position, []).append(member)
    stops = sorted({*together, head})
    return [
        Group(tuple(found), position, min(position + batch_size, stops[number + 1]))
        for number, (position, found) in enumerate(together.items())
    ]
