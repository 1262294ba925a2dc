"""The contract of stores of documents, for every back-end: whatever happens, answers are PostgreSQL's to the byte."""

import random
import threading
from typing import Any

import pytest
from pytest_django import Settings

from orders_read.mirrors import building, comparing
from orders_read.mirrors.building import mirror_of
from orders_read.mirrors.publisher import publisher, write_documents
from orders_read.mirrors.source import Source
from orders_read.rebuild.run import Wishes, rebuild
from orders_read.rebuild.swapping import swap
from orders_read.stores.choice import all_chosen
from orders_read.stores.contract import Document, GenerationLost
from orders_read.stores.documents import DOCUMENTS
from orders_read.stores.positions import position_of_store
from orders_read.verify.run import verify as verify_projection
from outbox.connection import connect
from outbox.delivery import drain
from outbox.epoch import _known, current_epoch
from outbox.publishers import events as log
from outbox.publishers.lanes import Lane
from outbox.subscribers import projection

from .conftest import Mirrored
from .valkey import way_to

HEAD = "SELECT max(position) FROM event_log"
ORDERS = "SELECT order_id FROM read_order_details ORDER BY order_id"


def verified(name: str = "order_details", *, repairs: bool = False) -> Any:
    return comparing.verify(mirror_of(name), repairs=repairs, actor="shell:ada")


def shown() -> int:
    generation = mirror_of("order_details").store.shown()
    assert generation is not None
    return generation


def head(shop: Mirrored) -> int:
    return int(shop.ask(HEAD)[0][0])


def test_before_it_is_built_postgresql_answers(shop: Mirrored) -> None:
    shop.is_equal(by="postgres; fallback")


def test_what_is_built_answers_as_postgresql_does(mirrored: Mirrored) -> None:
    mirrored.is_equal()


def follows_the_log(shop: Mirrored) -> None:
    """Check that the mirror takes in what happens after it was built."""
    shop.happen()
    assert shop.serve() > 0
    shop.is_equal()


def test_it_follows_the_log(mirrored: Mirrored) -> None:
    follows_the_log(mirrored)


def test_several_lanes_share_the_documents(shop: Mirrored) -> None:
    shop.choose(PARTITIONS=3)
    shop.build()
    follows_the_log(shop)
    lanes = shop.ask("SELECT DISTINCT subscriber FROM checkpoints WHERE subscriber LIKE 'user_dashboard@%%'")
    assert len(lanes) == 3


def test_a_document_has_one_lane_whatever_its_events_are_of(shop: Mirrored) -> None:
    shop.choose(PARTITIONS=2)
    shop.build()
    shop.happen()
    with connect("test") as lent:
        target = publisher.open(lent, mirror_of("user_dashboard").subscriber)
        of_lanes = [
            log.next_chunk(
                lent, Lane(mirror_of("user_dashboard").subscriber, "mirror", lane, 2), target, 0, head(shop)
            ).events
            for lane in range(2)
        ]
    users = [
        {event.payload.partition('"user_id": ')[2].split(",")[0].rstrip("}") for event in events}
        for events in of_lanes
    ]
    assert users[0] & users[1] <= {"", "null"}


def never_runs_ahead(shop: Mirrored) -> None:
    """Check that events wait for the read model that is mirrored."""
    before = position_of_store("order_details")
    shop.happen(folds=False)
    shop.serve()
    assert position_of_store("order_details").position == before.position  # type: ignore[union-attr]
    drain()
    shop.serve()
    assert position_of_store("order_details").position == head(shop)  # type: ignore[union-attr]
    shop.is_equal()


def test_it_never_runs_ahead_of_its_read_model(mirrored: Mirrored) -> None:
    never_runs_ahead(mirrored)


def duplicates_and_shuffles_change_nothing(shop: Mirrored) -> None:
    """Check that events handed over twice, and in any order, lead to the same documents."""
    shop.happen()
    with connect("test") as lent:
        for name in ("order_details", "user_dashboard"):
            target = publisher.open(lent, mirror_of(name).subscriber)
            found = [
                *log.next_chunk(
                    lent, Lane(mirror_of(name).subscriber, "mirror", 0, 1), target, 0, head(shop)
                ).events
            ]
            for _ in range(3):
                random.shuffle(found)
                target.publish(found)
    shop.serve()
    shop.is_equal()


def test_duplicates_and_shuffles_change_nothing(mirrored: Mirrored) -> None:
    duplicates_and_shuffles_change_nothing(mirrored)


def an_older_write_changes_nothing(shop: Mirrored) -> None:
    """Check that a writer which comes late, or twice, is not heard."""
    store = mirror_of("order_details").store
    ((order_id, version),) = shop.ask("SELECT order_id, row_version FROM read_order_details LIMIT 1")
    for late in (version - 1, version):
        assert store.write([shown()], [Document(order_id, late, None, "{}")]) == 0
    shop.is_equal()


def test_an_older_write_changes_nothing(mirrored: Mirrored) -> None:
    an_older_write_changes_nothing(mirrored)


def a_tombstone_stays(shop: Mirrored) -> None:
    """Check that what was deleted is not written again by somebody who comes late."""
    ((order_id, version),) = shop.ask("SELECT order_id, row_version FROM read_order_details LIMIT 1")
    shop.happen()
    shop.ask("DELETE FROM read_order_details_g1 WHERE order_id = %s", order_id)
    mirror = mirror_of("order_details")
    with connect("test") as lent:
        assert write_documents(lent, mirror, [order_id]) == 1
    assert mirror.store.write([shown()], [Document(order_id, version, None, "{}")]) == 0
    shop.serve()
    shop.is_equal()


def test_what_is_deleted_leaves_a_tombstone_that_older_writes_do_not_raise(mirrored: Mirrored) -> None:
    a_tombstone_stays(mirrored)


def survives_cuts(shop: Mirrored) -> None:
    """Check that a connection which is cut in the middle of what is written loses nothing."""
    with way_to(shop.backend.port) as way:
        shop.choose(port=int(way.url.rpartition(":")[2].partition("/")[0]))
        for bytes_until_cut in (500, 4_000, 9_000):
            shop.happen(20)
            way.left = bytes_until_cut
            shop.serve()
        way.left = float("inf")
        shop.let_time_pass()
        shop.serve()
        shop.is_equal()


def test_a_connection_that_is_cut_loses_nothing(mirrored: Mirrored) -> None:
    survives_cuts(mirrored)


def test_a_store_that_is_away_opens_the_breaker_and_gets_all_later(mirrored: Mirrored) -> None:
    mirrored.backend.kill()
    mirrored.happen()
    mirrored.serve()
    assert {name for (name,) in mirrored.ask("SELECT subscriber FROM delivery_failures")} == {
        mirror_of(name).subscriber for name in DOCUMENTS
    }
    assert mirrored.ask("SELECT count(*) FROM dead_letters") == [(0,)]
    mirrored.is_equal(by="postgres; fallback")


def comes_back_after_a_kill(shop: Mirrored, *, with_data: bool) -> None:
    """Check that a server which was killed answers nothing until it was given everything anew."""
    shop.backend.kill()
    if not with_data:
        shop.backend.lose_data()
    shop.backend.start()
    shop.happen()
    shop.let_time_pass()
    shop.serve()
    shop.is_equal(by="postgres; fallback")
    shop.let_time_pass()
    shop.keep()
    shop.let_time_pass()
    shop.is_equal()
    assert [state for _, _, state in shop.state()][-2:] == ["retired", "live"]


@pytest.mark.parametrize("with_data", [True, False])
def test_a_server_that_was_killed_is_trusted_only_when_it_was_built_anew(
    mirrored: Mirrored,
    with_data: bool,  # noqa: FBT001
) -> None:
    comes_back_after_a_kill(mirrored, with_data=with_data)


def test_a_store_that_was_away_for_long_is_fed_as_soon_as_it_answers(mirrored: Mirrored) -> None:
    mirrored.backend.kill()
    mirrored.happen(30)
    mirrored.serve()
    mirrored.backend.start()
    mirrored.keep()  # the pause of the breaker is not over
    mirrored.serve()
    assert mirrored.ask("SELECT count(*) FROM delivery_failures") == [(0,)]
    assert verified().differences == []


def test_a_store_that_somebody_emptied_is_built_anew(mirrored: Mirrored) -> None:
    mirrored.backend.empty()
    mirrored.is_equal(by="postgres; fallback")
    mirrored.keep()
    mirrored.let_time_pass()
    mirrored.is_equal()


def test_it_is_built_anew_while_things_happen_and_the_old_one_is_deleted(mirrored: Mirrored) -> None:
    mirrored.happen()
    mirrored.build()
    mirrored.is_equal()
    assert [state for _, _, state in mirrored.state()] == ["retired", "live"]
    mirrored.keep()
    assert mirrored.state() == [(2, 1, "live")]
    assert mirrored.backend.count("order_details", 1) == 0


def is_never_older_when_shown(shop: Mirrored, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that what the old generation got while the new one was made is in the new one when it is shown.

    A lane that was at work when the build began does not know of it, and brings documents to the old one alone.
    """
    copy, mirror = building.copy, mirror_of("order_details")
    (before, source), *_ = [(generation, source) for generation, source, _ in shop.state()[-1:]]

    def copy_beside_a_lane(work: Any, *given: Any) -> bool:
        done = copy(work, *given)
        shop.happen(40)
        documents = Source(DOCUMENTS["order_details"], source)
        mirror.store.write([before], documents.page(work.connection, 0, 1_000))
        return done

    monkeypatch.setattr(building, "copy", copy_beside_a_lane)
    building.rebuild(mirror, "shell:ada")
    expected = shop.expected()
    assert all(expected[key] == answer for key, answer in shop.answers()[0].items() if isinstance(key, tuple))


def test_a_new_generation_is_not_older_when_it_is_shown(
    mirrored: Mirrored, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_never_older_when_shown(mirrored, monkeypatch)


def test_a_build_that_is_interrupted_is_gone_on_with(shop: Mirrored, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "COPIED_AT_ONCE", 5)

    class Killed(BaseException):
        pass

    def die(documents: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        building.rebuild(mirror_of("order_details"), "shell:ada", watch=die)
    assert shop.ask("SELECT generation, documents FROM mirror_generations") == [(1, 5)]
    shop.is_equal(by="postgres; fallback")
    shop.happen()
    shop.keep()
    building.rebuild(mirror_of("user_dashboard"), "shell:ada")
    shop.let_time_pass()
    shop.is_equal()
    assert shop.state() == [(1, 1, "live")]


def follows_a_swap(shop: Mirrored) -> None:
    """Check that a mirror goes on from the replaced generation, and follows to the new one and back."""
    rebuild(projection("order_details"), Wishes(actor="shell:ada"))
    shop.happen(40)
    shop.serve()
    shop.is_equal()
    shop.keep()
    assert shop.state()[-1] == (2, 2, "live")
    shop.happen(40)
    shop.serve()
    shop.is_equal()
    with connect("test") as lent:
        swap(lent, "order_details", 1, keep_hours=1)
    shop.keep()
    assert shop.state()[-1] == (3, 1, "live")
    shop.happen(40)
    shop.serve()
    shop.is_equal()
    assert verified().differences == []


def test_it_follows_a_swap_of_its_read_model_and_a_roll_back(mirrored: Mirrored) -> None:
    follows_a_swap(mirrored)


def test_what_differs_is_found_and_repaired(mirrored: Mirrored) -> None:
    orders = [order_id for (order_id,) in mirrored.ask(ORDERS)][:7]
    spoilt = mirrored.backend.spoil("order_details", 1, orders)
    mirrored.answers()  # what is no document is answered by PostgreSQL, and is nobody else's trouble
    assert not any(one.breaker.is_open for one in all_chosen())
    found = verified(repairs=True)
    assert len(found.differences) == found.repaired == spoilt
    assert verified().differences == []
    mirrored.is_equal()
    mirrored.happen()
    mirrored.serve()
    mirrored.is_equal()
    assert mirrored.ask("SELECT action, subject FROM operator_actions ORDER BY action_id DESC LIMIT 1") == [
        ("repair_mirror", mirror_of("order_details").subscriber)
    ]


def test_what_is_under_way_does_not_differ(mirrored: Mirrored) -> None:
    mirrored.happen()
    assert verified().differences == verified("user_dashboard").differences == []
    mirrored.is_equal()


def brings_a_repaired_row(shop: Mirrored) -> None:
    """Check that a row which was mended with no event reaches the store."""
    for name, drift in (
        (
            "order_details",
            "UPDATE read_order_details_g1 SET document = document - 'total' WHERE order_id % 5 = 0",
        ),
        ("user_dashboard", "UPDATE read_user_dashboard_g1 SET spent = spent + 1"),
    ):
        shop.ask(drift.replace("%", "%%"))
        shop.build()
        assert len(verify_projection(name, repairs=True, actor="shell:ada").differences) > 0
    shop.keep()
    shop.is_equal()
    assert shop.ask("SELECT count(*) FROM touched_documents") == [(0,)]


def test_a_row_that_was_repaired_reaches_it_with_no_event(mirrored: Mirrored) -> None:
    brings_a_repaired_row(mirrored)


def test_a_generation_that_the_store_lost_is_not_written_to(mirrored: Mirrored) -> None:
    store = mirror_of("order_details").store
    store.drop(1, lambda: False)
    with pytest.raises(GenerationLost):
        store.write([1], [Document(1, 1, None, "{}")])


def test_a_process_with_other_settings_leaves_the_events_alone(
    mirrored: Mirrored, settings: Settings
) -> None:
    mirrored.happen()
    chosen, settings.READ_STORES = settings.READ_STORES, {}
    assert mirrored.serve() == 0
    settings.READ_STORES = chosen
    mirrored.let_time_pass()
    mirrored.serve()
    mirrored.is_equal()


def builds_anew_after_a_restore(shop: Mirrored) -> None:
    """Check that documents of another history are not read, however new their versions are."""
    shop.ask("DELETE FROM log_epoch")  # as in a database that was restored: its epoch is another
    _known.clear()
    shop.ask('UPDATE read_order_details_g1 SET document = document || \'{"status": "restored"}\'')
    shop.is_equal(by="postgres; fallback")
    shop.keep()
    shop.let_time_pass()
    shop.is_equal()


def test_after_a_restore_it_is_built_anew(mirrored: Mirrored) -> None:
    builds_anew_after_a_restore(mirrored)


def test_what_the_store_holds_under_the_next_number_is_deleted_first(mirrored: Mirrored) -> None:
    store = mirror_of("order_details").store
    store.begin(2, None, str(current_epoch()))
    store.write([2], [Document(order_id, 10**9, None, "{}") for (order_id,) in mirrored.ask(ORDERS)])
    mirrored.build()
    assert shown() == 2
    mirrored.is_equal()


def test_readers_all_the_time_see_no_older_answer(mirrored: Mirrored) -> None:
    """A reader polls the greatest dashboard while the mirror is fed and built anew."""
    stopping, seen, history = threading.Event(), [], str(current_epoch())

    def poll() -> None:
        store = mirror_of("user_dashboard").store
        while not stopping.is_set():
            text, version = store.answer(1, None, history)
            seen.append((version, text))

    reader = threading.Thread(target=poll)
    reader.start()
    try:
        for _ in range(3):
            mirrored.happen(50)
            mirrored.build()
            mirrored.serve()
    finally:
        stopping.set()
        reader.join()
    versions = [version for version, _ in seen]
    assert len(seen) > 20
    assert versions == sorted(versions)
    assert all(text for _, text in seen)
