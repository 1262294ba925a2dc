"""Which group a round folds, and how far."""

from outbox.folds import GenerationKey
from outbox.rounds import Group, Member, groups


def member(name: str, position: int, *, has_parked: bool = False) -> Member:
    return Member(GenerationKey(name, 1, "hash"), position, has_parked)


def names(group: Group) -> list[str]:
    return [one.key.projection for one in group.members]


def test_who_stands_at_the_head_has_nothing_to_fold() -> None:
    assert groups([member("a", 7)], head=7, batch_size=10) == []


def test_who_stands_together_is_folded_together() -> None:
    (group,) = groups([member("b", 3), member("a", 3)], head=7, batch_size=10)
    assert (names(group), group.from_position, group.to_position) == (["a", "b"], 3, 7)


def test_a_batch_ends_a_range() -> None:
    (group,) = groups([member("a", 3)], head=100, batch_size=10)
    assert group.to_position == 13


def test_who_is_behind_stops_where_the_next_stands_and_so_joins_it() -> None:
    behind, ahead = groups([member("ahead", 5), member("behind", 2)], head=9, batch_size=10)
    assert (names(behind), behind.from_position, behind.to_position) == (["behind"], 2, 5)
    assert (names(ahead), ahead.from_position, ahead.to_position) == (["ahead"], 5, 9)


def test_a_group_names_those_for_whom_some_aggregates_wait() -> None:
    (group,) = groups([member("a", 3), member("b", 3, has_parked=True)], head=7, batch_size=10)
    assert (group.events, [key.projection for key in group.parked]) == (4, ["b"])
