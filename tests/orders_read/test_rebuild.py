"""A rebuild is invisible to readers: never empty, older or half; it can be cancelled, resumed, rolled back (G6)."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from orders_read.generations import drop_generation
from orders_read.rebuild import record, swapping
from orders_read.rebuild.alone import alone
from orders_read.rebuild.building import Build
from orders_read.rebuild.exceptions import ColumnsDiffer, EventsAreParked, FoldsFail, RebuildCancelled
from orders_read.rebuild.run import Wishes, cancel, rebuild
from orders_read.verify.run import verify
from orders_read.verify.shadow import Shadow
from outbox import folding
from outbox.connection import connect
from outbox.delivery import Delivery, drain
from outbox.subscribers import Projection
from tests.mutants import rebuilds as mutants
from tests.outbox.conftest import Subscribe
from tests.outbox.guarantees import Broken, expect
from tests.outbox.test_delivery import key_of
from tests.outbox.world import FRAGILE, SEEN, World, seen, wait_until

WISHES = Wishes(actor="shell:ada")
SWAP = Callable[..., float]


@pytest.fixture
def shown(world: World, subscribe: Subscribe) -> Iterator[World]:
    """Give a world whose projection `seen` has a view, as read models have."""
    world.watcher.execute("CREATE VIEW read_seen AS SELECT * FROM read_seen_g1")
    yield world
    world.watcher.execute("DROP VIEW read_seen")
    for (table,) in world.ask(
        "SELECT relname FROM pg_class WHERE relname ~ '^read_(seen|fragile)_g[2-9]' AND relkind = 'r'"
    ):
        world.watcher.execute(f"DROP TABLE {table}")


def fill(world: World, aggregates: int = 30, versions: int = 3) -> None:
    for version in range(1, versions + 1):
        world.commit(*((aggregate_id, version) for aggregate_id in range(1, aggregates + 1)))
    Delivery(world.worker()).drain()


def view(world: World, name: str = "seen") -> dict[int, list[int]]:
    return dict(world.ask(f"SELECT aggregate_id, versions FROM read_{name} ORDER BY 1"))


def generations(world: World) -> list[tuple[Any, ...]]:
    return world.ask(
        "SELECT generation, state FROM projection_generations WHERE projection = 'seen' ORDER BY 1"
    )


def run(*arguments: str) -> tuple[int, str]:
    out, code = StringIO(), 0
    try:
        call_command(*arguments, stdout=out)
    except SystemExit as end:
        code = int(end.code or 0)
    except CommandError as refusal:
        return refusal.returncode, str(refusal)
    return code, out.getvalue()


def test_a_rebuild_shows_the_same_rows_from_new_tables_and_keeps_the_old(shown: World) -> None:
    fill(shown)
    before = view(shown)
    done = rebuild(seen(), WISHES)
    assert view(shown) == before == {aggregate_id: [1, 2, 3] for aggregate_id in range(1, 31)}
    assert generations(shown) == [(1, "kept"), (2, "live")]
    assert done.swap_seconds is not None
    shown.commit((1, 4))
    drain()
    assert shown.versions("seen", 1) == shown.versions("seen", 2) == view(shown)


def test_a_rebuild_tells_how_many_rows_were_wrong_before(shown: World) -> None:
    fill(shown)
    shown.watcher.execute("UPDATE read_seen_g1 SET versions = '{9}' WHERE aggregate_id < 4")
    shown.watcher.execute("DELETE FROM read_seen_g1 WHERE aggregate_id = 10")
    assert rebuild(seen(), WISHES).rows_mended == 4
    assert rebuild(seen(), WISHES).rows_mended == 0
    assert rebuild(replace(seen(), version=2), WISHES).rows_mended is None


def test_small_batches_give_the_same(shown: World) -> None:
    fill(shown)
    rebuild(seen(), Wishes(actor="shell:ada", batch_size=7))
    assert view(shown) == {aggregate_id: [1, 2, 3] for aggregate_id in range(1, 31)}


def loses_nothing_in_the_closing_race(world: World, swap: SWAP) -> None:
    """Check that what arrives between the last fold of the new generation and the swap is neither lost nor shown late.

    Live delivery takes in the event while the swap waits for it; the new generation has not seen it.
    """
    fill(world)
    rebuild(seen(), Wishes(actor="shell:ada", swaps=False))
    world.commit((1, 4), (99, 1))
    Delivery(world.worker()).drain()
    worker = world.worker()
    swap(worker, "seen", 2, keep_hours=1)
    expect(view(world)[1], [1, 2, 3, 4])
    expect(view(world)[99], [1])
    world.commit((1, 5))
    Delivery(world.worker()).drain()
    expect(view(world)[1], [1, 2, 3, 4, 5])


def test_the_closing_race_cannot_be_lost(shown: World) -> None:
    loses_nothing_in_the_closing_race(shown, swapping.swap)


@pytest.mark.parametrize("mutant", [mutants.swap_without_taking_in, mutants.swap_and_start_at_the_head])
def test_who_swaps_otherwise_is_caught(shown: World, mutant: SWAP) -> None:
    with pytest.raises(Broken):
        loses_nothing_in_the_closing_race(shown, mutant)


def test_a_round_in_flight_is_waited_for(shown: World) -> None:
    """The swap must not read the old checkpoint while a round is about to move it."""
    fill(shown)
    rebuild(seen(), Wishes(actor="shell:ada", swaps=False))
    shown.commit((1, 4))
    Delivery(shown.worker()).relay.run_once(shown.worker())

    in_flight = shown.writer()
    folding.FOLDS.load(shown.worker(), [key_of(shown)])
    folding.hold(in_flight, "seen", 1)
    folding.advance(in_flight, [key_of(shown)], 90, 91)
    swapper = threading.Thread(target=lambda: swapping.swap(shown.worker(), "seen", 2, keep_hours=1))
    swapper.start()
    assert wait_until(
        lambda: bool(shown.ask("SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))
    )
    in_flight.commit()
    swapper.join()
    assert view(shown)[1] == [1, 2, 3, 4]


def test_readers_see_neither_nothing_nor_less_while_rebuilds_go_on(shown: World) -> None:
    fill(shown)
    wrong: list[str] = []
    stopping = threading.Event()
    reader = shown.worker()

    def read() -> None:
        most = 0
        while not stopping.is_set():
            row = reader.execute("SELECT count(*), sum(cardinality(versions))::int FROM read_seen").fetchone()
            count, events = row or (0, 0)
            if count < 30 or events < most:
                wrong.append(f"{count} rows, {events} after {most}")
            most = events

    thread = threading.Thread(target=read)
    thread.start()
    for version in range(4, 8):
        shown.commit(*((aggregate_id, version) for aggregate_id in range(1, 31)))
        drain()
        rebuild(seen(), Wishes(actor="shell:ada", batch_size=10))
    stopping.set()
    thread.join()
    assert wrong == []
    assert generations(shown)[-1] == (5, "live")


def test_a_long_reader_makes_the_swap_come_again_and_does_not_make_others_wait(shown: World) -> None:
    fill(shown)
    rebuild(seen(), Wishes(actor="shell:ada", swaps=False))
    long_reader = shown.writer()
    long_reader.execute("SELECT count(*) FROM read_seen")
    swapper = threading.Thread(target=lambda: swapping.swap(shown.worker(), "seen", 2, keep_hours=1))
    swapper.start()
    for _ in range(50):
        shown.watcher.execute("SET statement_timeout = '1s'")
        assert len(view(shown)) == 30
    long_reader.rollback()
    swapper.join()
    shown.watcher.execute("RESET statement_timeout")
    assert generations(shown) == [(1, "kept"), (2, "live")]


def interrupted(world: World, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    """Run a rebuild that dies when it comes to a step."""

    def die(self: Build, *_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Build, at, die)
        with pytest.raises(KeyboardInterrupt):
            rebuild(seen(), Wishes(actor="shell:ada", batch_size=10))


@pytest.mark.parametrize("at", ["_fold", "index", "catch_up"])
def test_an_interrupted_rebuild_is_resumed_where_it_was(
    shown: World, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    fill(shown)
    interrupted(shown, monkeypatch, at)
    assert view(shown) == {aggregate_id: [1, 2, 3] for aggregate_id in range(1, 31)}
    shown.commit((1, 4))
    drain()
    rebuild(seen(), Wishes(actor="shell:ada", resumes=True))
    assert view(shown)[1] == [1, 2, 3, 4]
    assert generations(shown) == [(1, "kept"), (2, "live")]


def swap_and_die(*arguments: Any, **named: Any) -> float:
    swapping.swap(*arguments, **named)
    raise KeyboardInterrupt


def test_a_swap_that_fails_leaves_a_rebuild_to_be_resumed_and_one_that_is_done_is_recorded_with_it(
    shown: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(shown)

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(swapping, "_show", die)
        with pytest.raises(KeyboardInterrupt):
            rebuild(seen(), WISHES)
    assert generations(shown) == [(1, "live"), (2, "building")]
    assert shown.ask("SELECT phase FROM projection_rebuilds") == [("catching up",)]

    with monkeypatch.context() as patched:
        patched.setattr("orders_read.rebuild.run.swap", swap_and_die)
        with pytest.raises(KeyboardInterrupt):
            rebuild(seen(), Wishes(actor="shell:ada", resumes=True))
    assert generations(shown) == [(1, "kept"), (2, "live")]
    assert shown.ask("SELECT phase FROM projection_rebuilds") == [("swapped",)]


def test_an_interrupted_rebuild_is_neither_begun_again_nor_forgotten(
    shown: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(shown)
    interrupted(shown, monkeypatch, "index")
    code, text = run("rebuild_projection", "seen_by_nobody")
    assert (code, "There is no projection" in text) == (1, True)
    assert record.unfinished(shown.worker(), "seen") is not None
    assert cancel("seen", "shell:ada")
    assert generations(shown) == [(1, "live")]
    assert shown.ask("SELECT phase FROM projection_rebuilds") == [("cancelled",)]
    assert not cancel("seen", "shell:ada")


def test_a_rebuild_at_work_sees_that_it_is_cancelled(shown: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(shown)
    index = Build.index

    def be_cancelled(self: Build) -> None:
        cancel("seen", "shell:ada")
        index(self)

    monkeypatch.setattr(Build, "index", be_cancelled)
    with pytest.raises(RebuildCancelled):
        rebuild(seen(), WISHES)
    assert generations(shown) == [(1, "live")]
    assert shown.ask("SELECT action FROM operator_actions ORDER BY 1") == [("cancel_rebuild",), ("rebuild",)]


def test_a_roll_back_shows_the_old_generation_with_all_that_came_meanwhile_and_forward_again(
    shown: World,
) -> None:
    fill(shown)
    rebuild(seen(), WISHES)
    shown.commit((1, 4))
    drain()
    assert run("rollback_projection", "seen", "--reason", "to be sure")[0] == 0
    assert generations(shown) == [(1, "live"), (2, "kept")]
    assert view(shown)[1] == [1, 2, 3, 4]
    assert run("rollback_projection", "seen")[0] == 0
    assert generations(shown) == [(1, "kept"), (2, "live")]
    assert view(shown)[1] == [1, 2, 3, 4]


def test_a_verification_that_a_rebuild_has_interrupted_takes_no_other_generation_for_its_shadow(
    shown: World,
) -> None:
    fill(shown)
    with connect("verify") as lent:
        interrupted_shadow = Shadow(lent, "seen").verification.shadow
    rebuild(seen(), WISHES)
    assert verify("seen", repairs=False, actor="shell:ada").differences == []
    assert run("rollback_projection", "seen")[0] == 0
    assert verify("seen", repairs=False, actor="shell:ada").differences == []
    numbers = [generation for generation, _ in generations(shown)]
    assert [state for _, state in generations(shown)] == ["live", "kept"]
    assert interrupted_shadow not in numbers
    assert view(shown) == {aggregate_id: [1, 2, 3] for aggregate_id in range(1, 31)}


def test_without_an_earlier_generation_there_is_no_way_back(shown: World) -> None:
    code, text = run("rollback_projection", "seen")
    assert (code, text) == (1, "seen has no earlier generation to go back to.")


def with_columns(extra: str, values: str) -> Projection:
    (table,) = seen().tables
    fold = SEEN.replace("row_version)\nSELECT", "row_version, moves)\nSELECT").replace(
        "max(position)", f"max(position), {values}", 1
    )
    columns = f"{table.columns_ddl}, {extra}"
    return replace(seen(), version=2, tables=(replace(table, columns_ddl=columns, fold=fold),))


def test_a_new_column_appears_with_the_swap_and_is_null_after_a_roll_back(shown: World) -> None:
    fill(shown)
    rebuild(with_columns("moves bigint NOT NULL", "count(*)"), WISHES)
    assert shown.ask("SELECT moves FROM read_seen WHERE aggregate_id = 1") == [(3,)]
    run("rollback_projection", "seen")
    assert shown.ask("SELECT versions, moves FROM read_seen WHERE aggregate_id = 1") == [([1, 2, 3], None)]
    run("rollback_projection", "seen")
    assert shown.ask("SELECT moves FROM read_seen WHERE aggregate_id = 1") == [(3,)]


def test_a_column_that_changes_its_type_is_refused_before_anything_is_built(shown: World) -> None:
    (table,) = seen().tables
    retyped = replace(table, columns_ddl=table.columns_ddl.replace("versions bigint[]", "versions text"))
    with pytest.raises(ColumnsDiffer, match=r"versions of read_seen is bigint\[\] and would become text"):
        rebuild(replace(seen(), tables=(retyped,)), WISHES)
    assert generations(shown) == [(1, "live")]
    assert shown.ask("SELECT FROM projection_rebuilds") == []


def test_a_poison_event_is_parked_in_the_new_generation_and_a_person_asked(shown: World) -> None:
    fill(shown, aggregates=20)
    shown.commit((7, 4), event_type="Poison")
    shown.commit((7, 5), (8, 4))
    drain()
    with pytest.raises(EventsAreParked):
        rebuild(seen(fold=FRAGILE), WISHES)
    assert generations(shown) == [(1, "live"), (2, "building")]
    rebuild(seen(fold=FRAGILE), Wishes(actor="shell:ada", resumes=True, accepts_parked=True))
    assert view(shown)[7] == [1, 2, 3]
    assert view(shown)[8] == [1, 2, 3, 4]


def test_a_fold_that_folds_nothing_at_all_is_refused(shown: World) -> None:
    fill(shown, aggregates=200, versions=1)
    broken = SEEN.replace("max(position)", "max(position / 0)")
    with pytest.raises(FoldsFail, match="division by zero"):
        rebuild(seen(fold=broken), WISHES)
    assert generations(shown) == [(1, "live"), (2, "building")]
    assert view(shown) == {aggregate_id: [1] for aggregate_id in range(1, 201)}


def test_kept_generations_are_dropped_when_their_time_is_over(shown: World) -> None:
    fill(shown)
    rebuild(seen(), Wishes(actor="shell:ada", keep_hours=0))
    worker = shown.worker()
    assert swapping.expired(worker) == [("seen", 1)]
    shown.watcher.execute("CREATE TABLE read_seen_spare (LIKE read_seen_g1)")
    drop_generation(worker, "seen", 1)
    assert generations(shown) == [(2, "live")]
    assert swapping.expired(worker) == []
    shown.watcher.execute("ALTER TABLE read_seen_spare RENAME TO read_seen_g1")  # for the fixture to drop


def test_one_rebuild_at_a_time_and_the_second_is_told_who_is_at_it(
    shown: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orders_read.management.commands.rebuild_projection.projections", lambda: (seen(),))
    fill(shown)
    with connect("rebuild seen") as other, alone(other, "seen"):
        code, text = run("rebuild_projection", "seen")
    assert code == 4
    assert "seen is being rebuilt or verified by rebuild seen, backend" in text


def test_the_command_tells_how_it_went(shown: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orders_read.management.commands.rebuild_projection.projections", lambda: (seen(),))
    fill(shown)
    code, text = run("rebuild_projection", "--all", "--json", "--parallel", "2")
    told = json.loads(text)
    assert code == 0
    assert (told["projection"], told["generation"], told["phase"], told["events"]) == (
        "seen",
        2,
        "swapped",
        90,
    )
    assert told["swap_seconds"] < 1
    estimate = json.loads(run("rebuild_projection", "seen", "--dry-run", "--json")[1])
    assert estimate[0]["events"] == 90
    assert generations(shown) == [(1, "kept"), (2, "live")]


@pytest.mark.parametrize("arguments", [[], ["seen", "--all"], ["nobody"], ["seen", "--batch", "0"]])
def test_a_command_line_that_makes_no_sense_is_refused(
    shown: World, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr("orders_read.management.commands.rebuild_projection.projections", lambda: (seen(),))
    assert run("rebuild_projection", *arguments)[0] == 1
    assert generations(shown) == [(1, "live")]
