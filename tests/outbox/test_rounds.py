"""Which group a round folds, and how far."""

from outbox.folds import GenerationKey
from outbox.rounds import Group, Member, groups


def member(name: str, position: int, *, attempts: int = 0, is_put_off: bool = False) -> Member:
    return Member(GenerationKey(name, 1, "hash"), position, attempts, is_put_off)


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


def test_who_is_put_off_is_left_out() -> None:
    (group,) = groups(
        [member("a", 3), member("failed", 3, attempts=1, is_put_off=True)], head=7, batch_size=10
    )
    assert names(group) == ["a"]


def test_who_failed_stays_alone_with_a_range_that_is_halved_by_each_attempt() -> None:
    sound, failed = groups([member("a", 0), member("failed", 0, attempts=2)], head=100, batch_size=80)
    assert (names(sound), sound.to_position) == (["a"], 80)
    assert (names(failed), failed.to_position) == (["failed"], 20)
    (short,) = groups([member("failed", 0, attempts=1)], head=6, batch_size=80)
    assert short.to_position == 3


def test_a_range_never_falls_below_one_event() -> None:
    (group,) = groups([member("failed", 4, attempts=50)], head=100, batch_size=80)
    assert group.to_position == 5
