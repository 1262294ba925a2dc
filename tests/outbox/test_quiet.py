"""An idle worker reads two sequences and nothing else, and yet finds whatever happens."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from pytest_django import Settings

from outbox import bell, engine, quiet
from outbox.careful import CarefulEngine
from outbox.changes import announce
from outbox.engine import Engine
from outbox.pauses import pause, resume
from tests.mutants.quiet import LateMarksQuiet, RestlessEngine, TrustingQuiet
from tests.outbox.guarantees import Broken, expect
from tests.outbox.world import World, put

MOST_BUFFERS = 10
POLLS = 20
FLUSH = "SELECT pg_stat_force_next_flush()"
TOUCHED = "SELECT coalesce(sum(hits + reads), 0) FROM pg_stat_get_backend_io($1::int)"

FAILURE = """
INSERT INTO delivery_failures
       (subscriber, generation, from_position, to_position, attempts, error_type, error_message, next_attempt_at)
VALUES ('seen', 1, 0, 1, 1, 'ValueError', 'bad', clock_timestamp()) RETURNING 1
"""

Make = Callable[[], Engine]


@pytest.fixture(autouse=True)
def patience(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be found only because it is time to look anyway; the relay's bound moves with each scan."""
    settings.OUTBOX = settings.OUTBOX | {"SUBSCRIBERS": [], "REDIS_URL": ""}
    monkeypatch.setattr(quiet, "LONGEST_QUIET_SECONDS", 1_000.0)


@pytest.fixture
def made() -> Iterator[list[Engine]]:
    """Give a list of engines that are closed at the end."""
    engines: list[Engine] = []
    yield engines
    for one in engines:
        one.close()


def resting(make: type[Engine] = Engine) -> Engine:
    """Make an engine that rests as soon as it may: its relay looks at the writers with each scan."""
    made = make("tested", rests=True)
    made._opened().relay.bound._interval_seconds = 0
    return made


def come_to_rest(tested: Engine) -> None:
    for _ in range(4):  # a scan, the writers, a scan after them, and one look more
        tested.drain()


def touches_little(world: World, make: type[Engine]) -> None:
    """Check that polls with nothing to do touch few buffers, though an old snapshot keeps all that was ever there."""
    old = world.writer()
    old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    old.execute("SELECT count(*) FROM outbox")
    with closing(resting(make)) as tested:
        for version in range(1, 101):
            world.commit((1, version), (2, version))
            tested.drain()
        come_to_rest(tested)
        before = touched(world, tested)
        for _ in range(POLLS):
            tested.drain()
        buffers = (touched(world, tested) - before) / POLLS
    if buffers > MOST_BUFFERS:
        raise Broken(f"{buffers} buffers a poll")


def touched(world: World, tested: Engine) -> int:
    """Count the buffers that the engine's session has touched so far."""
    connection = tested._opened().connection
    connection.execute(FLUSH)
    connection.execute("SELECT 1")
    return int(world.ask(TOUCHED, connection.info.backend_pid)[0][0])


def finds_a_late_commit(world: World) -> None:
    """Check that a message is found whose transaction drew its identity before the others, and committed last."""
    late = world.writer()
    put(late, (1, 1))
    world.commit((2, 1))
    with closing(resting()) as tested:
        come_to_rest(tested)
        late.commit()
        tested.drain()
    expect(world.versions(), {1: [1], 2: [1]})


def finds_what_comes(world: World) -> None:
    """Check that a message is found that comes after all were delivered."""
    with closing(resting()) as tested:
        for version in (1, 2, 3):
            world.commit((1, version))
            tested.drain()
            expect(world.checkpoint(), version)
            come_to_rest(tested)


def test_a_poll_with_nothing_to_do_touches_little(world: World) -> None:
    touches_little(world, Engine)


def test_a_poll_that_looks_at_the_tables_is_caught(world: World) -> None:
    with pytest.raises(Broken):
        touches_little(world, RestlessEngine)


def test_a_late_commit_is_found(world: World) -> None:
    finds_a_late_commit(world)


def test_what_comes_is_found(world: World) -> None:
    finds_what_comes(world)


@pytest.mark.parametrize(
    ("check", "mutant"), [(finds_a_late_commit, TrustingQuiet), (finds_what_comes, LateMarksQuiet)]
)
def test_a_mutant_that_rests_too_soon_is_caught(
    world: World, monkeypatch: pytest.MonkeyPatch, check: Callable[[World], None], mutant: type[quiet.Quiet]
) -> None:
    monkeypatch.setattr(engine, "Quiet", mutant)
    with pytest.raises(Broken):
        check(world)


def test_an_engine_at_rest_asks_nothing_else(world: World, made: list[Engine]) -> None:
    tested = resting()
    made.append(tested)
    world.commit((1, 1))
    come_to_rest(tested)
    assert tested._quiet.lasts(tested._opened().connection)


def test_a_rollback_disturbs_only_once(world: World, made: list[Engine]) -> None:
    tested, undone = resting(), world.writer()
    made.append(tested)
    come_to_rest(tested)
    put(undone, (1, 1))
    undone.rollback()
    assert not tested._quiet.lasts(tested._opened().connection)
    come_to_rest(tested)
    assert tested._quiet.lasts(tested._opened().connection)


def test_a_resumed_subscriber_is_found(world: World, made: list[Engine]) -> None:
    tested = resting()
    made.append(tested)
    pause(["seen"], "why", "user:7")
    world.commit((1, 1))
    come_to_rest(tested)
    resume(["seen"], "user:7")
    tested.drain()
    assert world.versions() == {1: [1]}


def test_what_changed_without_a_word_is_found_after_a_while(
    world: World, made: list[Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quiet, "LONGEST_QUIET_SECONDS", 0.0)
    tested = resting()
    made.append(tested)
    pause(["seen"], "why", "user:7")
    world.commit((1, 1))
    come_to_rest(tested)
    world.watcher.execute("DELETE FROM paused_subscribers")
    tested.drain()
    assert world.versions() == {1: [1]}


def test_who_returns_from_careful_delivery_is_found(
    world: World, made: list[Engine], settings: Settings
) -> None:
    settings.OUTBOX = settings.OUTBOX | {"BATCH_SIZE": 1}
    tested = resting()
    made.append(tested)
    world.ask(FAILURE)
    world.commit((1, 1), (1, 2), (1, 3))
    come_to_rest(tested)
    with closing(CarefulEngine("tested")) as careful:
        assert careful.drain() == 1
    tested.drain()
    assert world.versions() == {1: [1, 2, 3]}


def test_who_is_called_by_a_bell_always_looks(world: World, made: list[Engine]) -> None:
    called = Engine("tested")
    made.append(called)
    pause(["seen"], "why", "user:7")
    world.commit((1, 1))
    come_to_rest(called)
    world.watcher.execute("DELETE FROM paused_subscribers")
    called.drain()
    assert world.versions() == {1: [1]}


def test_a_change_is_announced_at_once_outside_of_a_transaction(
    world: World, made: list[Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    rings: list[int] = []
    monkeypatch.setattr(bell, "ring", lambda: rings.append(1))
    tested = resting()
    made.append(tested)
    come_to_rest(tested)
    announce()
    assert rings == [1]
    assert not tested._quiet.lasts(tested._opened().connection)


def test_the_careful_look_touches_little_too(world: World) -> None:
    old = world.writer()
    old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    old.execute("SELECT count(*) FROM outbox")
    careful = CarefulEngine("tested")
    for _ in range(10):
        careful.drain()
    assert careful._careful
    connection = careful._careful.connection
    counts = []
    for _ in range(2):
        for _ in range(POLLS):
            careful.drain()
        connection.execute(FLUSH)
        connection.execute("SELECT 1")
        counts.append(int(world.ask(TOUCHED, connection.info.backend_pid)[0][0]))
    careful.close()
    assert (counts[1] - counts[0]) / POLLS <= MOST_BUFFERS
