"""Events reach an endpoint in order and at least once, whatever it does; a failure stops no more than it must."""

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import psycopg
import pytest
from pytest_django import Settings

from outbox import checkpoints, retry
from outbox.connection import connect
from outbox.publishers import breaker, endpoints, webhooks
from outbox.publishers.breaker import State, state_of
from outbox.publishers.contract import Event
from outbox.publishers.webhooks import WebhookTarget
from outbox.retry import Selection
from tests.outbox.publishers.conftest import ACTOR, Shop
from tests.outbox.world import wait_until
from tests.webhook_receiver import TAKEN, Answer


def refusing(aggregate_id: int, answer: Answer) -> Any:
    """Make a choice that treats one aggregate in its own way and takes all others."""
    return lambda body: answer if body["data"]["aggregate_id"] == str(aggregate_id) else TAKEN


def test_events_arrive_in_the_order_of_the_log(shop: Shop) -> None:
    shop.endpoint()
    shop.log((1, 1), (2, 1), (1, 2))

    shop.deliver()

    assert shop.receiver.versions() == {1: [1, 2], 2: [1]}
    assert shop.checkpoint() == 3
    assert shop.outcomes() == [("delivered", 204)] * 3


def test_an_endpoint_begins_at_the_head_unless_asked_otherwise(shop: Shop) -> None:
    shop.log((1, 1))
    shop.endpoint("late", from_beginning=False)
    shop.endpoint("early")
    shop.log((1, 2))

    shop.deliver("late")
    assert shop.receiver.versions() == {1: [2]}

    shop.deliver("early")
    assert shop.receiver.versions() == {1: [2, 1, 2]}


def test_an_endpoint_gets_the_types_that_it_wants(shop: Shop) -> None:
    shop.endpoint(event_types=["ParcelLost"])
    shop.log((1, 1), (2, 1))
    shop.log((1, 2), event_type="ParcelLost")

    shop.deliver()

    assert [received.event_type for received in shop.receiver.taken] == ["ParcelLost"]
    assert shop.checkpoint() == 3


def test_an_aggregate_belongs_to_one_partition_and_keeps_its_order(shop: Shop) -> None:
    shop.endpoint(partitions=4)
    shop.log(*((aggregate, version) for version in (1, 2, 3) for aggregate in range(1, 9)))

    for partition in (3, 1, 0, 2):
        shop.deliver(partition=partition, partitions=4)

    assert shop.receiver.versions() == {aggregate: [1, 2, 3] for aggregate in range(1, 9)}


def test_an_event_that_is_refused_parks_its_aggregate_and_no_other(shop: Shop) -> None:
    # given an endpoint that refuses the events of one aggregate
    shop.endpoint()
    shop.receiver.choose = refusing(1, Answer(400))
    shop.log((1, 1), (2, 1), (1, 2), (2, 2))

    # when
    shop.deliver()

    # then
    assert shop.receiver.versions() == {2: [1, 2]}
    assert shop.letters() == [(1, "waiting", 1)]
    assert shop.checkpoint() == 4
    assert shop.breaker() == []

    # and, as soon as it is taken, what has been waiting comes in order, before what is new
    shop.receiver.answer(TAKEN)
    shop.log((1, 3))
    shop.let_time_pass()
    shop.deliver()
    assert shop.receiver.versions() == {1: [1, 2, 3], 2: [1, 2]}
    assert shop.letters() == [(1, "delivered", 2)]


def test_a_refused_event_is_tried_as_often_as_the_schedule_says(shop: Shop) -> None:
    shop.endpoint()
    shop.receiver.answer(Answer(422))
    shop.log((1, 1))

    for _ in range(6):
        shop.deliver()
        shop.let_time_pass()

    assert shop.letters() == [(1, "parked", 4)]
    assert shop.outcomes() == [("refused", 422)] * 4


def test_an_event_that_waited_and_is_refused_itself_takes_the_place_of_the_first(shop: Shop) -> None:
    shop.endpoint()
    shop.receiver.answer(Answer(400))
    shop.log((1, 1), (1, 2), (1, 3))
    shop.deliver()

    shop.receiver.choose = lambda body: Answer(400) if body["data"]["aggregate_version"] == 2 else TAKEN
    shop.let_time_pass()
    shop.deliver()

    assert shop.receiver.versions() == {1: [1]}
    assert shop.letters() == [(1, "waiting", 1)]
    assert shop.world.ask("SELECT position FROM dead_letters") == [(2,)]


def test_more_than_a_page_of_events_waits_behind_a_dead_letter(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("outbox.publishers.events.MOST_EVENTS", 3)
    monkeypatch.setattr("outbox.publishers.letters.MOST_EVENTS", 3)
    shop.endpoint()
    shop.receiver.answer(Answer(400))
    shop.log(*((1, version) for version in range(1, 9)))
    shop.deliver()

    shop.receiver.answer(TAKEN)
    shop.let_time_pass()
    shop.deliver()

    assert shop.receiver.versions() == {1: list(range(1, 9))}
    assert shop.letters()[0][1] == "delivered"


def test_an_endpoint_that_is_away_is_put_off_and_parks_nothing(shop: Shop) -> None:
    # given
    shop.endpoint()
    shop.receiver.answer(Answer(500))
    shop.log((1, 1), (2, 1), (3, 1))

    # when: the first event, and one of another aggregate, to see whom it concerns
    shop.deliver()
    assert [received.aggregate_id for received in shop.receiver.seen] == ["1", "2"]
    assert shop.deliver() == 0

    # then
    assert shop.letters() == []
    assert shop.breaker() == [(1, "the endpoint answered 500")]

    # and a trial that fails opens the breaker for longer, one that succeeds closes it
    shop.let_time_pass()
    shop.deliver()
    assert shop.breaker() == [(2, "the endpoint answered 500")]
    shop.let_time_pass()
    shop.receiver.answer(TAKEN)
    shop.deliver()
    assert shop.breaker() == []
    assert shop.receiver.versions() == {1: [1], 2: [1], 3: [1]}


@pytest.mark.parametrize("answer", [Answer(500), Answer(hang=True), Answer(cut=True)], ids=str)
def test_an_event_over_which_the_endpoint_falls_is_told_from_an_endpoint_that_is_away(
    shop: Shop, answer: Answer
) -> None:
    shop.endpoint()
    shop.receiver.choose = refusing(1, answer)
    shop.log((1, 1), (2, 1), (3, 1), (1, 2))

    shop.deliver()

    assert shop.letters() == [(1, "waiting", 1)]
    assert shop.breaker() == []
    assert set(shop.receiver.versions()) == {2, 3}
    assert shop.receiver.versions()[3] == [1]


def test_only_one_trial_is_made_however_many_workers_want_to(shop: Shop) -> None:
    shop.endpoint()
    shop.receiver.answer(Answer(503))
    shop.log((1, 1))
    shop.deliver()
    shop.let_time_pass()

    with connect("one") as one, connect("another") as another:
        assert breaker.claim_trial(one, "shop", 60)
        assert not breaker.claim_trial(another, "shop", 60)
        # and should the first die over it, another comes after a while
        shop.let_time_pass()
        assert breaker.claim_trial(another, "shop", 60)


def test_the_states_of_a_breaker_have_names() -> None:
    assert state_of(0, is_put_off=False) is State.CLOSED
    assert state_of(1, is_put_off=True) is State.OPEN
    assert state_of(1, is_put_off=False) is State.HALF_OPEN


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("asked", "least", "most"), [("120", 110, 120), ("999999", 3590, 3600), ("", 50, 60)]
)
def test_an_endpoint_that_asks_for_a_pause_gets_it_within_bounds(
    shop: Shop, status: int, asked: str, least: int, most: int
) -> None:
    shop.endpoint()
    shop.receiver.answer(Answer(status, (("Retry-After", asked),) if asked else ()))
    shop.log((1, 1), (2, 1))

    shop.deliver()

    ((seconds,),) = shop.world.ask(
        "SELECT extract(epoch FROM next_attempt_at - clock_timestamp())::int FROM delivery_failures"
    )
    assert least <= seconds <= most
    assert len(shop.receiver.seen) == 1
    assert shop.letters() == []


def test_a_pause_may_be_asked_for_by_a_date(shop: Shop) -> None:
    shop.endpoint()
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=300), usegmt=True)
    shop.receiver.answer(Answer(503, (("Retry-After", date),)))
    shop.log((1, 1))

    shop.deliver()

    ((seconds,),) = shop.world.ask(
        "SELECT extract(epoch FROM next_attempt_at - clock_timestamp())::int FROM delivery_failures"
    )
    assert 280 <= seconds <= 300


def test_gone_disables_an_endpoint_and_enabling_brings_what_it_missed(shop: Shop) -> None:
    shop.endpoint()
    shop.receiver.answer(Answer(410))
    shop.log((1, 1), (2, 1))

    shop.deliver()
    assert shop.is_enabled() == (False, "the endpoint answered 410 Gone")
    assert len(shop.receiver.seen) == 1

    shop.receiver.answer(TAKEN)
    endpoints.enable(ACTOR, "shop")
    shop.deliver()
    assert shop.is_enabled() == (True, "")
    assert shop.receiver.versions() == {1: [1], 2: [1]}


def test_a_paused_subscriber_gets_nothing_until_it_is_resumed(shop: Shop) -> None:
    shop.endpoint()
    shop.log((1, 1))
    shop.world.ask("INSERT INTO paused_subscribers VALUES ('shop', 'moving house', 'user:1') RETURNING 1")

    shop.deliver()
    assert shop.receiver.seen == []

    shop.world.ask("DELETE FROM paused_subscribers RETURNING 1")
    shop.deliver()
    assert shop.receiver.versions() == {1: [1]}


def test_an_event_that_no_code_knows_is_parked_and_never_sent(shop: Shop, settings: Settings) -> None:
    settings.OUTBOX = settings.OUTBOX | {"EVENTS": f"{__name__}.KNOWN"}
    shop.endpoint()
    shop.log((1, 1), event_type="Novelty")
    shop.log((2, 1))

    shop.deliver()

    assert shop.receiver.versions() == {2: [1]}
    assert shop.world.ask("SELECT aggregate_id, fingerprint FROM dead_letters") == [
        (1, "UnknownEvent at outbox/publishers/events.py:refuse_unknown")
    ]


KNOWN = {"ParcelMoved": 1}


def test_an_error_of_our_own_parks_the_event_and_no_other(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fragile(event: Any) -> bytes:
        if event.aggregate_id == 1:
            raise ZeroDivisionError
        return body(event)

    body = webhooks.body
    monkeypatch.setattr(webhooks, "body", fragile)
    shop.endpoint()
    shop.log((1, 1), (2, 1))

    shop.deliver()

    assert shop.receiver.versions() == {2: [1]}
    assert shop.letters() == [(1, "waiting", 1)]


def test_an_endpoint_that_refuses_everything_is_put_off_as_a_whole(shop: Shop, settings: Settings) -> None:
    settings.OUTBOX = settings.OUTBOX | {"MOST_PARKED": 3}
    shop.endpoint()
    shop.receiver.answer(Answer(404))
    shop.log(*((aggregate, 1) for aggregate in range(1, 9)))

    shop.deliver()

    assert len(shop.letters()) == 3
    assert len(shop.breaker()) == 1


NOTE_COMMITS = """
CREATE TABLE commits (setting text);
CREATE FUNCTION note_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO commits VALUES (current_setting('synchronous_commit'));
    RETURN NULL;
END $$;
CREATE TRIGGER note_commit AFTER INSERT ON delivery_attempts FOR EACH ROW EXECUTE FUNCTION note_commit();
CREATE TRIGGER note_commit AFTER INSERT ON checkpoints FOR EACH ROW EXECUTE FUNCTION note_commit();
"""
FORGET_COMMITS = "DROP TABLE commits; DROP FUNCTION note_commit CASCADE"


def test_events_are_on_disk_before_anybody_outside_hears_of_them_and_so_is_the_checkpoint(shop: Shop) -> None:
    # The mark of an attempt is committed after the events were read and before they are handed over. When that commit
    # waits for the disk, all is there that was written before.
    shop.endpoint()
    shop.log((1, 1))
    shop.world.watcher.execute(NOTE_COMMITS)
    try:
        shop.deliver()
        settings = shop.world.ask("SELECT setting FROM commits")
    finally:
        shop.world.watcher.execute(FORGET_COMMITS)

    assert settings == [("on",), ("on",)]


def test_who_has_lost_the_connection_moves_no_checkpoint(shop: Shop) -> None:
    # given a worker whose connection, and with it its lock, is lost while it hands over an event
    shop.endpoint()
    shop.log((1, 1), (1, 2))

    def cut(_: dict[str, Any]) -> Answer:
        shop.receiver.answer(TAKEN)
        shop.world.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'test' AND datname = current_database()"
        )
        return TAKEN

    shop.receiver.choose = cut
    with pytest.raises(psycopg.OperationalError):
        shop.deliver()
    assert shop.checkpoint() == 0

    # when, then: the next repeats, and loses nothing
    shop.deliver()
    assert list(dict.fromkeys(shop.receiver.versions()[1])) == [1, 2]
    assert shop.checkpoint() == 2


class Death(BaseException):
    """The end of a process, as far as one process can play it."""


def dying(monkeypatch: pytest.MonkeyPatch, is_deadly: Callable[[Event], bool]) -> None:
    """Let the process die in the place of handing over some events."""

    def publish(self: WebhookTarget, events: Sequence[Event]) -> None:
        if any(map(is_deadly, events)):
            raise Death
        original(self, events)

    original = WebhookTarget.publish
    monkeypatch.setattr(WebhookTarget, "publish", publish)


def test_a_death_before_the_effect_loses_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.endpoint()
    shop.log((1, 1), (1, 2), (1, 3))
    with monkeypatch.context() as patch:
        dying(patch, lambda event: event.aggregate_version == 3)
        with pytest.raises(Death):
            shop.deliver()

    assert wait_until(lambda: shop.deliver() > 0, seconds=3)

    assert list(dict.fromkeys(shop.receiver.versions()[1])) == [1, 2, 3]
    assert shop.checkpoint() == 3


def test_an_event_over_which_every_process_dies_is_parked(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.endpoint()
    dying(monkeypatch, lambda event: event.aggregate_id == 1)
    shop.log((1, 1), (2, 1))

    for _ in range(3):  # with others, then alone, then alone again
        with pytest.raises(Death):
            shop.deliver()
    shop.deliver()

    assert shop.letters() == [(1, "waiting", 1)]
    assert shop.receiver.versions() == {2: [1]}


def test_an_event_that_was_alone_when_the_process_died_twice_is_parked(shop: Shop) -> None:
    # given an event over which two processes died, as their marks show
    shop.endpoint()
    shop.log((1, 1), (2, 1))
    for _ in range(2):
        shop.world.ask(
            "INSERT INTO delivery_attempts VALUES (ARRAY['shop 0/1'], 0, 1, gen_random_uuid()) RETURNING 1"
        )

    # when
    shop.deliver()

    # then it is not handed over again at once, and others are
    assert shop.receiver.versions() == {2: [1]}
    assert shop.letters() == [(1, "waiting", 1)]
    assert shop.world.ask("SELECT fingerprint FROM dead_letters") == [("ProcessEnded",)]
    assert shop.world.ask("SELECT * FROM delivery_attempts") == []


def test_after_a_death_events_are_handed_over_one_by_one(shop: Shop) -> None:
    shop.endpoint()
    shop.log((1, 1), (2, 1))
    shop.world.ask(
        "INSERT INTO delivery_attempts VALUES (ARRAY['shop 0/1'], 0, 2, gen_random_uuid()) RETURNING 1"
    )

    assert shop.deliver() == 2

    assert shop.receiver.versions() == {1: [1], 2: [1]}
    assert shop.world.ask("SELECT * FROM delivery_attempts") == []


def test_a_skipped_event_is_left_out_and_what_waited_behind_it_comes(shop: Shop) -> None:
    # given
    shop.endpoint()
    shop.receiver.choose = refusing(1, Answer(400))
    shop.log((1, 1), (1, 2), (1, 3), (2, 1))
    shop.deliver()

    # when
    shop.receiver.answer(TAKEN)
    retry.skip(retry.open_letters(Selection(subscriber="shop")), ACTOR, "was a test")
    shop.deliver()

    # then
    assert shop.receiver.versions() == {1: [2, 3], 2: [1]}
    assert [state for _, state, _ in shop.letters()] == ["skipped", "delivered"]


def test_a_parked_event_is_tried_again_when_an_operator_asks(shop: Shop, settings: Settings) -> None:
    settings.OUTBOX = settings.OUTBOX | {"WEBHOOK_RETRY_SECONDS": []}
    shop.endpoint()
    shop.receiver.answer(Answer(400))
    shop.log((1, 1))
    shop.deliver()
    assert shop.letters() == [(1, "parked", 1)]

    shop.receiver.answer(TAKEN)
    retry.retry(retry.open_letters(Selection(subscriber="shop")), ACTOR)
    shop.deliver()

    assert shop.receiver.versions() == {1: [1]}


def test_what_a_dead_process_left_is_not_swept_while_its_lane_stands_there(shop: Shop) -> None:
    shop.endpoint()
    shop.log((1, 1))
    shop.world.ask(
        "INSERT INTO delivery_attempts VALUES"
        " (ARRAY['shop 0/1'], 0, 1, gen_random_uuid(), now() - interval '1 hour') RETURNING 1"
    )
    checkpoints.sweep(shop.world.watcher, 60.0)
    assert len(shop.world.ask("SELECT * FROM delivery_attempts")) == 1

    shop.deliver()
    assert shop.world.ask("SELECT * FROM delivery_attempts") == []


ANSWERS = [TAKEN, TAKEN, TAKEN, Answer(400), Answer(500), Answer(503), Answer(410), Answer(cut=True)]


@pytest.mark.parametrize("seed", range(6))
def test_whatever_an_endpoint_answers_and_whoever_dies_all_events_come_in_order(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, settings: Settings, seed: int
) -> None:
    # given an endpoint that answers by chance, and a process that dies by chance
    settings.OUTBOX = settings.OUTBOX | {"WEBHOOK_RETRY_SECONDS": [60] * 1000}
    chance = random.Random(seed)
    shop.endpoint(partitions=2)
    aggregates = range(1, 6)
    shop.receiver.choose = lambda _: chance.choice(ANSWERS)
    with monkeypatch.context() as patch:
        dying(patch, lambda _: chance.random() < 0.05)
        for version in range(1, 9):
            shop.log(*((aggregate, version) for aggregate in aggregates))
            for partition in (0, 1):
                with suppress(Death):
                    shop.deliver(partition=partition, partitions=2)
            endpoints.enable(ACTOR, "shop")
            shop.let_time_pass()

    # when it takes everything again
    shop.receiver.answer(TAKEN)
    for _ in range(3):
        for partition in (0, 1):
            shop.deliver(partition=partition, partitions=2)
        shop.let_time_pass()

    # then nothing is missing, and no event came before its predecessor
    for aggregate in aggregates:
        first_times = list(dict.fromkeys(shop.receiver.versions()[aggregate]))
        assert first_times == list(range(1, 9))
    assert {state for _, state, _ in shop.letters()} <= {"delivered"}
