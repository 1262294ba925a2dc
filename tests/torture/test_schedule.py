"""The schedule is the seed's alone."""

from collections import Counter
from pathlib import Path

import pytest

from . import mutants, mutations, schedule
from .history import OK, REFUSED, UNKNOWN, Answer, History, Operation, Request, read
from .schedule import NEMESES, PROFILES, kinds_of, make, read_steps

REQUEST = Request(op="1-1", who="ada", command="ShipOrder", target="7", body={"carrier": "DHL"}, key="1-1")
DONE = Answer(outcome=OK, status=200, body="{}")


def test_a_seed_gives_the_same_schedule_again_and_another_seed_another() -> None:
    one, again, other = (make(seed, 30, "mixed", kinds_of("all")) for seed in (7, 7, 8))

    assert one == again
    assert (one.steps != other.steps, one.faults != other.faults) == (True, True)


def test_a_client_has_the_same_steps_whatever_the_nemesis() -> None:
    assert make(7, 30, "mixed", kinds_of("all")).steps == make(7, 30, "mixed", kinds_of("none")).steps


@pytest.mark.parametrize(("seconds", "least"), [(20, 1), (600, 3)])
def test_every_fault_comes_as_often_as_it_must(seconds: float, least: int) -> None:
    made = make(7, seconds, "calm", kinds_of("all"))
    times = Counter(fault.kind for fault in made.faults)

    assert times.keys() == NEMESES.keys()
    assert made.least_fired() == least
    assert min(times.values()) >= least + (least > 1), "a long run has one to spare"
    assert all(0 < fault.at < seconds for fault in made.faults)


def test_every_command_and_every_way_to_send_it_comes() -> None:
    steps = [step for steps in make(7, 120, "mixed", {}).steps.values() for step in steps]

    assert {step.do for step in steps} == schedule.STAFF_DO.keys()
    assert {step.mode for step in steps} == schedule.MODES.keys()


def test_faults_are_chosen_by_profile_and_by_name_and_some_as_often_as_one_likes() -> None:
    assert kinds_of("redis") == dict.fromkeys(PROFILES["redis"], 0)
    assert kinds_of("kill_worker:4,flush_redis") == {"kill_worker": 4, "flush_redis": 0}
    assert len(make(7, 20, "calm", kinds_of("kill_worker:4")).faults) == 4
    with pytest.raises(KeyError, match="kill_nobody"):
        kinds_of("kill_nobody")


def test_the_steps_of_a_client_are_read_as_they_were_written(tmp_path: Path) -> None:
    made = make(7, 10, "mixed", kinds_of("all"))
    made.write(tmp_path / "schedule.jsonl")

    assert tuple(read_steps(tmp_path / "schedule.jsonl", "3")) == made.steps["3"]


def test_a_history_is_read_as_it_was_written_but_for_a_line_that_a_death_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    written = History(path)
    written.invoke(REQUEST)
    written.complete(REQUEST, Answer(outcome=UNKNOWN, reason="TimeoutError"))
    written.invoke(REQUEST)
    written.complete(REQUEST, DONE)
    written.close()
    path.write_text(path.read_text() + '{"type": "invoke", "op": "1-')

    assert read([path]) == written.operations
    assert written.finished() == [REQUEST]


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([DONE], OK),
        ([Answer(outcome=UNKNOWN), DONE], OK),
        ([Answer(outcome=REFUSED, status=422)], REFUSED),
        ([Answer(outcome=REFUSED, status=404)], REFUSED),
        ([Answer(outcome=UNKNOWN), Answer(outcome=REFUSED, status=404)], UNKNOWN),
        ([Answer(outcome=UNKNOWN), Answer(outcome=REFUSED, status=409)], UNKNOWN),
        ([], UNKNOWN),
    ],
)
def test_a_missing_answer_leaves_the_outcome_open_until_a_stored_one_decides(
    outcomes: list[Answer], expected: str
) -> None:
    assert Operation(request=REQUEST, attempts=len(outcomes), answers=outcomes).outcome == expected


def test_an_answer_that_is_still_to_come_leaves_the_outcome_open() -> None:
    not_found = Answer(outcome=REFUSED, status=404)

    assert Operation(request=REQUEST, attempts=2, answers=[not_found]).outcome == UNKNOWN


def test_every_mutant_of_the_table_takes_something_out() -> None:
    known = mutations.MUTATIONS.keys() - {"nothing"}

    assert [mutant.name for mutant in mutants.MUTANTS] == [
        name for name in mutations.MUTATIONS if name in known
    ]
    for mutant in mutants.MUTANTS:
        assert kinds_of(mutant.nemesis).keys() <= NEMESES.keys()
        assert mutant.workload in schedule.WORKLOADS
