"""Each check finds the defect that it is there for, in a story that is sound without it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from orders_read import refreshing
from outbox.connection import django_connection
from outbox.delivery import drain
from tests.orders_read.histories import long_history, write_to_log

from .checkers import answers, folds, identities, order, replays, views, webhooks
from .checkers.finding import Finding
from .history import OK, UNKNOWN, Answer, Operation
from .snapshot import Logged, Snapshot
from .story import SCOPE, Story, snapshot_of, taken_of, told


@dataclass(slots=True)
class Data:
    """Everything that the checks are given."""

    story: Story
    snapshot: Snapshot
    taken: list[dict[str, Any]]
    asked: dict[str, Operation]
    before: dict[str, int]

    @property
    def operations(self) -> dict[str, Operation]:
        return self.story.operations

    def logged(self, event_type: str) -> Logged:
        return next(each for each in self.snapshot.log if each.event_type == event_type)

    def tell(self, event_type: str, **said: Any) -> None:
        """Let an event say something else."""
        logged = self.logged(event_type)
        self.snapshot.log[logged.position - 1] = replace(logged, payload={**logged.payload, **said})

    def row(self, table: str, number: int = 0) -> dict[str, Any]:
        return (self.snapshot.written | self.snapshot.read)[table][number]


CHECKS: dict[str, Callable[[Data], Finding]] = {
    "effects": lambda data: answers.effects_once(data.operations, data.snapshot),
    "unknown": lambda data: answers.unknown_decided(data.operations, data.asked, data.before),
    "one answer": lambda data: answers.one_answer(
        data.operations, data.snapshot, dict.fromkeys(data.operations, SCOPE)
    ),
    "changed": lambda data: answers.changed_refused(data.operations),
    "failures": lambda data: answers.no_failures(data.operations),
    "log": lambda data: order.log_in_order(data.snapshot),
    "delivered": lambda data: order.delivered(data.snapshot),
    "stock": lambda data: identities.stock(data.snapshot),
    "credit": lambda data: identities.credit(data.snapshot),
    "payments": lambda data: identities.payments(data.snapshot),
    "write model": lambda data: replays.write_model(data.snapshot),
    "read models": lambda data: replays.read_models(data.snapshot),
    "webhooks": lambda data: webhooks.complete_and_in_order(data.snapshot, data.taken),
}


def data() -> Data:
    story = told()
    asked = Operation(request=replace(story.operations["a"].request, op="u"), attempts=1)
    asked.answers.append(replace(story.operations["a"].answers[0], replayed=True))
    found = Data(story, snapshot_of(story), taken_of(story), {"u": asked}, {"u": 1})
    story.operations["u"] = Operation(request=asked.request, attempts=1)
    return found


def sound() -> Data:
    """Give the data without the operation that has no outcome, as it is once that was asked again."""
    found = data()
    if "u" in found.operations:
        del found.operations["u"]
    return found


@pytest.mark.parametrize("name", CHECKS)
def test_nothing_is_wrong_with_a_sound_story(name: str) -> None:
    found = CHECKS[name](data() if name == "unknown" else sound())

    assert found.wrong == []
    assert sum(found.counts.values()) > 0 or name == "failures"


def lose_an_event(data: Data) -> None:
    del data.snapshot.log[4]


def lose_the_last_event(data: Data) -> None:
    del data.snapshot.log[-1]


def double_an_effect(data: Data) -> None:
    twin = replace(data.logged("OrderPlaced"), position=99, message_id=99, event_id="another", aggregate_id=9)
    data.snapshot.log.append(twin)


def let_a_refused_command_have_an_effect(data: Data) -> None:
    data.snapshot.log.append(replace(data.logged("OrderPlaced"), metadata={"correlation_id": "m"}))


def let_an_event_come_from_nowhere(data: Data) -> None:
    data.logged("OrderShipped").metadata = {"correlation_id": "nobody"}


def answer_another_version(data: Data) -> None:
    data.logged("PaymentCharged").version = 7


def leave_an_outcome_open(data: Data) -> None:
    data.operations["a"].answers = [Answer(outcome=UNKNOWN)]


def forget_what_was_carried_out(data: Data) -> None:
    data.before["u"] = 0


def carry_out_what_was_carried_out_before(data: Data) -> None:
    data.asked["u"].answers = [replace(data.asked["u"].answers[0], replayed=False)]


def answer_nothing_when_asked_again(data: Data) -> None:
    data.asked["u"].answers = [Answer(outcome=UNKNOWN, status=503)]


def answer_differently_the_second_time(data: Data) -> None:
    first = data.operations["a"].answers[0]
    data.operations["a"].answers.append(replace(first, body=first.body + " "))


def store_another_answer(data: Data) -> None:
    data.snapshot.answers[SCOPE, "a"] = (200, "{}")


def store_no_answer(data: Data) -> None:
    del data.snapshot.answers[SCOPE, "m"]


def take_another_body(data: Data) -> None:
    data.operations["a-changed"].answers = [Answer(outcome=OK, status=200, body="{}")]


def fail(data: Data) -> None:
    data.operations["a"].answers.append(Answer(outcome=UNKNOWN, status=500))


def swap_two_versions(data: Data) -> None:
    one, other = data.logged("OrderShipped"), data.logged("OrderDelivered")
    one.version, other.version = other.version, one.version


def double_a_position(data: Data) -> None:
    data.snapshot.log[5].position = 5


def double_a_message(data: Data) -> None:
    data.snapshot.log[5].message_id = data.snapshot.log[4].message_id


def leave_a_message_in_the_outbox(data: Data) -> None:
    data.snapshot.waiting = 1


def leave_a_subscriber_behind(data: Data) -> None:
    data.snapshot.standing[0]["position"] -= 1


def feed_nobody(data: Data) -> None:
    data.snapshot.standing.clear()


def park_an_event(data: Data) -> None:
    names = ("subscriber", "state", "event_type", "position", "error_type", "error_message")
    data.snapshot.letters.append(dict.fromkeys(names, "?"))


def skip_an_event(data: Data) -> None:
    data.snapshot.settled.append({"state": "skipped"})


def fail_a_subscriber(data: Data) -> None:
    data.snapshot.failures.append({"subscriber": "?", "error_type": "?", "error_message": "?"})


def oversell(data: Data) -> None:
    data.tell("ProductListed", on_hand=5)


def forget_a_reservation(data: Data) -> None:
    data.row("stock")["reserved"] -= 1


def miscount_the_warehouse(data: Data) -> None:
    data.tell("ProductRestocked", on_hand=25)


def owe_more_than_the_limit(data: Data) -> None:
    data.tell("CreditLimitSet", limit="1.0000")


def forget_what_is_owed(data: Data) -> None:
    data.row("credit_accounts")["used"] = Decimal(0)


def book_a_payment_twice(data: Data) -> None:
    data.snapshot.written["payments"].append(data.row("payments"))


def use_a_reference_twice(data: Data) -> None:
    data.tell("PaymentCharged", reference="f")


def refund_too_much(data: Data) -> None:
    data.tell("OrderCancelled", refund="8.0000")


def change_a_written_row(data: Data) -> None:
    data.row("orders")["status"] = "delivered"


def lose_a_written_row(data: Data) -> None:
    del data.snapshot.written["order_items"][0]


def change_a_read_row(data: Data) -> None:
    data.row("product_sales")["units"] += 1


def change_a_document(data: Data) -> None:
    data.row("order_details")["document"]["timeline"].pop()


def lose_a_read_row(data: Data) -> None:
    del data.snapshot.read["user_orders"][0]


def add_a_read_row(data: Data) -> None:
    data.snapshot.read["order_search"].append(data.row("order_search") | {"order_id": 77})


def add_a_read_model_without_reference(data: Data) -> None:
    data.snapshot.read["unheard_of"] = []


def deliver_one_less(data: Data) -> None:
    data.taken.pop()


def deliver_out_of_order(data: Data) -> None:
    data.taken.reverse()


def deliver_what_is_not_in_the_log(data: Data) -> None:
    data.taken.append(data.taken[0] | {"event_id": "nobody's"})


DEFECTS: list[tuple[str, Callable[[Data], None]]] = [
    ("effects", lose_an_event),
    ("effects", lose_the_last_event),
    ("effects", double_an_effect),
    ("effects", let_a_refused_command_have_an_effect),
    ("effects", let_an_event_come_from_nowhere),
    ("effects", answer_another_version),
    ("effects", leave_an_outcome_open),
    ("unknown", forget_what_was_carried_out),
    ("unknown", carry_out_what_was_carried_out_before),
    ("unknown", answer_nothing_when_asked_again),
    ("one answer", answer_differently_the_second_time),
    ("one answer", store_another_answer),
    ("one answer", store_no_answer),
    ("changed", take_another_body),
    ("failures", fail),
    ("log", lose_an_event),
    ("log", swap_two_versions),
    ("log", double_a_position),
    ("log", double_a_message),
    ("log", leave_a_message_in_the_outbox),
    ("delivered", leave_a_subscriber_behind),
    ("delivered", feed_nobody),
    ("delivered", park_an_event),
    ("delivered", skip_an_event),
    ("delivered", fail_a_subscriber),
    ("stock", oversell),
    ("stock", forget_a_reservation),
    ("stock", miscount_the_warehouse),
    ("credit", owe_more_than_the_limit),
    ("credit", forget_what_is_owed),
    ("payments", book_a_payment_twice),
    ("payments", use_a_reference_twice),
    ("payments", refund_too_much),
    ("write model", change_a_written_row),
    ("write model", lose_a_written_row),
    ("read models", change_a_read_row),
    ("read models", change_a_document),
    ("read models", lose_a_read_row),
    ("read models", add_a_read_row),
    ("read models", add_a_read_model_without_reference),
    ("webhooks", deliver_one_less),
    ("webhooks", deliver_out_of_order),
    ("webhooks", deliver_what_is_not_in_the_log),
]


@pytest.mark.parametrize(
    ("name", "plant"), DEFECTS, ids=[f"{name}: {plant.__name__}" for name, plant in DEFECTS]
)
def test_a_planted_defect_is_found(name: str, plant: Callable[[Data], None]) -> None:
    found = data() if name == "unknown" else sound()

    plant(found)

    assert CHECKS[name](found).wrong


def test_an_answer_is_not_forgotten_when_a_repetition_gets_none() -> None:
    found = sound()

    for op in ("a", "m"):
        found.operations[op].answers.append(Answer(outcome=UNKNOWN, status=503))

    assert CHECKS["effects"](found).wrong == []


def test_a_repeated_webhook_is_no_defect() -> None:
    found = sound()

    found.taken[4:4] = found.taken[2:4]

    assert CHECKS["webhooks"](found).wrong == []
    assert CHECKS["webhooks"](found).counts["repetitions"] == 2


def test_a_read_model_is_compared_with_one_fold_of_the_whole_log(database: None) -> None:
    write_to_log(long_history(80))
    drain()
    before = folds.one_pass(django_connection())

    with connection.cursor() as cursor:
        cursor.execute("UPDATE read_order_search_g1 SET words = '' WHERE order_id = 1")
    after = folds.one_pass(django_connection())

    assert before.wrong == []
    assert before.counts["rows"] > 50
    assert len(after.wrong) == 2, "the row that is, and the one that should be"


def test_a_materialized_view_is_compared_with_its_query_and_with_the_log(database: None) -> None:
    write_to_log(long_history(80))
    drain()
    old = views.as_defined(django_connection())

    refreshing.refresh(django_connection(), "shop_overview")
    fresh = views.as_defined(django_connection())

    assert len(old.wrong) == 3, "the row that is, the one that should be, and its position"
    assert (fresh.wrong, fresh.counts) == ([], {"views": 1})
