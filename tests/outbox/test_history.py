"""The log can be read by position, by aggregate, by message."""

from outbox import history
from outbox.relay import Relay
from tests.outbox.world import KIND, World


def fill(world: World) -> None:
    world.commit((1, 1), (2, 1))
    world.commit((1, 2))
    Relay().run_once(world.worker())


def test_an_empty_log_has_the_head_0(bare_world: World) -> None:
    assert history.head() == 0


def test_the_head_is_the_last_position(bare_world: World) -> None:
    fill(bare_world)
    assert history.head() == 3


def test_events_come_in_the_order_of_positions(bare_world: World) -> None:
    fill(bare_world)
    events = history.events_after(1, limit=5)
    assert [(event.position, event.aggregate_id) for event in events] == [(2, 2), (3, 1)]
    assert len(history.events_after(0, limit=1)) == 1


def test_an_aggregates_events_come_in_the_order_of_versions(bare_world: World) -> None:
    fill(bare_world)
    assert [event.aggregate_version for event in history.aggregate_events(KIND, 1)] == [1, 2]


def test_a_message_has_a_position_once_it_is_relayed(bare_world: World) -> None:
    bare_world.commit((1, 1))
    ((message_id,),) = bare_world.ask("SELECT message_id FROM outbox")
    assert history.position_of(message_id) is None
    Relay().run_once(bare_world.worker())
    assert history.position_of(message_id) == 1
    assert history.position_of(message_id, after=1) is None
