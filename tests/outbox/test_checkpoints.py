"""What is no longer needed of checkpoints and attempts is swept, and nothing else."""

import pytest

from outbox import checkpoints
from tests.outbox.guarantees import Broken, expect
from tests.outbox.world import World

ATTEMPT = """
INSERT INTO delivery_attempts (members, from_position, to_position, owner, began_at)
VALUES ($1, $2, $2 + 10, gen_random_uuid(), now() - make_interval(secs => $3)) RETURNING 1
"""


def sweeps_what_nobody_is_to_attempt_again(world: World) -> None:
    """Check that an attempt stays while one of its generations stands where it began, or while it is young."""
    world.ask("INSERT INTO checkpoints VALUES ('seen', 1, 0, 20), ('seen', 1, 20, 30) RETURNING 1")
    for members, from_position, seconds in (
        (["seen 1"], 0, 120),
        (["seen 1"], 20, 120),
        (["seen 1", "other 1"], 30, 120),
        (["seen 2"], 30, 120),
        (["seen 1"], 0, 1),
    ):
        world.ask(ATTEMPT, members, from_position, seconds)
    checkpoints.sweep(world.worker(), keep_seconds=60)
    left = world.ask("SELECT members, from_position FROM delivery_attempts ORDER BY began_at")
    expect(left, [(["seen 1", "other 1"], 30), (["seen 1"], 0)])


def keeps_what_a_publisher_is_to_attempt_again(world: World) -> None:
    """Check that the mark of an attempt of a publisher's partition stays while the partition stands where it began."""
    world.ask(
        "INSERT INTO publishers (subscriber, kind, from_position) VALUES ('hook', 'webhook', 7) RETURNING 1"
    )
    world.ask("INSERT INTO checkpoints VALUES ('hook 0/2', 1, 7, 20) RETURNING 1")
    for lane, from_position in (
        ("hook 0/2", 20),
        ("hook 0/2", 7),
        ("hook 1/2", 7),
        ("hook 1/2", 0),
        ("gone 0/1", 0),
    ):
        world.ask(ATTEMPT, [lane], from_position, 120)
    checkpoints.sweep(world.worker(), keep_seconds=60)
    left = world.ask("SELECT members[1], from_position FROM delivery_attempts ORDER BY 1")
    expect(left, [("hook 0/2", 20), ("hook 1/2", 7)])


def test_marks_of_publishers_stay_while_they_stand_there(world: World) -> None:
    keeps_what_a_publisher_is_to_attempt_again(world)


def test_a_sweep_that_forgets_publishers_is_caught(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        checkpoints,
        "SWEEP_ATTEMPTS",
        checkpoints.SWEEP_ATTEMPTS.partition("   AND NOT EXISTS (\n       SELECT FROM publishers")[0],
    )
    with pytest.raises(Broken):
        keeps_what_a_publisher_is_to_attempt_again(world)


def test_attempts_that_nobody_is_to_make_again_are_swept(world: World) -> None:
    sweeps_what_nobody_is_to_attempt_again(world)


def test_an_attempt_at_the_very_first_events_stays_while_there_is_no_checkpoint(world: World) -> None:
    world.ask(ATTEMPT, ["seen 1"], 0, 120)
    checkpoints.sweep(world.worker(), keep_seconds=60)
    assert len(world.ask("SELECT FROM delivery_attempts")) == 1


@pytest.mark.parametrize(
    ("correct", "wrong"),
    [
        ("attempts.from_position = coalesce(", "attempts.from_position > coalesce("),
        ("began_at < clock_timestamp()", "began_at < 'infinity'::timestamptz"),
        ("fed.projection || ' ' || fed.generation = ANY (members)", "true"),
    ],
)
def test_a_sweep_that_forgets_a_killer_or_keeps_everything_is_caught(
    world: World, monkeypatch: pytest.MonkeyPatch, correct: str, wrong: str
) -> None:
    mutant = checkpoints.SWEEP_ATTEMPTS.replace(correct, wrong)
    assert mutant != checkpoints.SWEEP_ATTEMPTS
    monkeypatch.setattr(checkpoints, "SWEEP_ATTEMPTS", mutant)
    with pytest.raises(Broken):
        sweeps_what_nobody_is_to_attempt_again(world)
