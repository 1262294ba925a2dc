"""An erased person is nowhere left, what they bought is, and a rebuild forgets like live delivery did."""

from io import StringIO
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import CommandError, call_command
from django.db import connection

from orders_write import erasure
from orders_write.commands import Address, EraseCustomer, ShipOrder
from orders_write.erasure import erase_person
from orders_write.exceptions import NotFound
from orders_write.models import User
from outbox import persons
from outbox.delivery import drain
from outbox.folds import executable
from outbox.history import head
from outbox.subscribers import projections, table_name
from tests.clients import client_of, staff

from .shop import NOON, customer, do, list_products, messages, place, rows, stock

NAME, STREET, POSTCODE, CITY = "Zebedia Quux", "17 Xylophone Row", "ZQ7 8XW", "Querétaroville"
EMAIL, LOGIN = "zebedia@quux.example", "zebqux"
SECRETS = ("zebedia", "quux", "xylophone", "zq7", "8xw", "querétaroville", "zebqux")
ADDRESS = Address(country="France", name=NAME, street=STREET, postcode=POSTCODE, city=CITY, email=EMAIL)

ALL_TABLES = """
SELECT relname FROM pg_class
 WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0
"""

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def person(database: None) -> int:
    """Give a customer who bought thrice, once by the API under a key, and has somebody like them in the shop."""
    list_products("mug", "lamp")
    user_id = customer(LOGIN)
    User.objects.filter(pk=user_id).update(
        first_name="Zebedia", last_name="Quux", email=EMAIL, customer_number="C-1"
    )
    place(user_id, ("mug", 1), address=ADDRESS)
    place(user_id, ("lamp", 2), address=ADDRESS)
    body = {
        "lines": [{"sku": "mug", "qty": 1}],
        "address": {
            "name": NAME, "street": STREET, "postcode": POSTCODE, "city": CITY, "country": "France", "email": EMAIL,
        },
    }  # fmt: skip
    answer = client_of(user_id).post("/api/v1/orders", body, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 201, answer.content
    session = SessionStore()
    session.update({"_auth_user_id": str(user_id), "drafts": {"order": {"values": {"name": NAME}}}})
    session.save()
    place(customer("ada"), ("mug", 3))
    return user_id


def erase(user_id: int) -> None:
    erase_person(user_id, actor="shell:ada", reason="they asked", now=NOON)


def found() -> set[tuple[str, str]]:
    """Say which secrets stand in which tables, sessions decoded."""
    left = set()
    for (table,) in rows(ALL_TABLES):
        for secret in SECRETS:
            if rows(f"SELECT FROM {table} AS row WHERE row::text ILIKE %s LIMIT 1", f"%{secret}%"):
                left.add((table, secret))
    return left


def test_an_erased_person_is_found_in_no_table(person: int) -> None:
    drain()
    before = {table for table, _ in found()}
    assert before == {
        "users", "orders", "event_personal", "idempotency_keys", "read_order_details_g1", "read_order_search_g1",
    }  # fmt: skip

    erase(person)
    assert {table for table, _ in found()} == {"read_order_details_g1", "read_order_search_g1"}
    drain()
    assert found() == set()


def test_what_was_not_yet_delivered_is_forgotten_too(person: int) -> None:
    erase(person)
    drain()
    assert found() == set()


def test_others_are_not_touched(person: int) -> None:
    erase(person)
    drain()
    assert rows("SELECT customer_name FROM read_order_search WHERE customer_name IS NOT NULL") == [("Ada",)]
    assert rows("SELECT ship_city FROM orders WHERE ship_city <> ''") == [("Paris",)]
    assert rows("SELECT count(*) FROM event_personal") == [(1,)]
    assert User.objects.get(username="ada").is_active


def test_what_was_bought_stays(person: int) -> None:
    before = rows("SELECT order_id, total, status FROM orders ORDER BY order_id"), stock("mug")
    erase(person)
    drain()
    assert (rows("SELECT order_id, total, status FROM orders ORDER BY order_id"), stock("mug")) == before
    assert rows("SELECT orders, units FROM read_user_dashboard WHERE user_id = %s", person) == [(3, 4)]
    order_id = before[0][0][0]
    assert (
        do(ShipOrder(order_id=order_id)).refusal is not None
    )  # not paid: the order lives on under its rules


def tables() -> dict[str, list[Any]]:
    return {
        table.name: rows(f"SELECT row::text FROM {table_name(table.name, 1)} AS row ORDER BY 1")
        for projection in projections()
        for table in projection.tables
    }


def fold(low: int, high: int, **instead: str) -> None:
    """Fold a range of the log into the tables, with other statements for those that are named."""
    with connection.cursor() as cursor:
        for projection in projections():
            for table in projection.tables:
                text = instead.get(table.name, table.fold)
                statement = executable(text, table_name(table.name, 1), 1).of_range
                cursor.execute(
                    statement.replace("%", "%%").replace("$1", "%(a)s").replace("$2", "%(b)s"),
                    {"a": low, "b": high},
                )


def empty_read_models() -> None:
    with connection.cursor() as cursor:
        for projection in projections():
            for table in projection.tables:
                cursor.execute(f"TRUNCATE {table_name(table.name, 1)}")


def test_a_rebuild_gives_what_live_delivery_left(person: int) -> None:
    drain()
    erase(person)
    drain()
    live = tables()
    empty_read_models()
    fold(0, head())
    assert tables() == live


MUTANTS = [
    ("order_details", "'customer', NULL, 'timeline'", "'timeline'"),
    ("order_search", "CASE WHEN erased.order_id IS NULL THEN coalesce(", "CASE WHEN true THEN coalesce("),
    ("order_search", "coalesce(placed.order_id, erased.order_id) IS NULL", "placed.order_id IS NULL"),
]  # fmt: skip


@pytest.mark.parametrize("mutant", [None, *MUTANTS])
def test_a_read_model_that_does_not_forget_is_found(person: int, mutant: tuple[str, str, str] | None) -> None:
    drain()
    placed = head()
    erase(person)
    drain()
    name, instead = None, {}
    if mutant is not None:
        name, correct, wrong = mutant
        (original,) = (table.fold for one in projections() for table in one.tables if table.name == name)
        assert correct in original
        instead[name] = original.replace(correct, wrong)
    empty_read_models()
    restore_persons(person)
    fold(0, placed, **instead)
    persons.forget(person)
    fold(placed, head(), **instead)
    assert {table for table, _ in found()} == ({f"read_{name}_g1"} if name else set())


def restore_persons(user_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO event_personal SELECT event_id, %s, jsonb_build_object('name', %s::text, 'city', %s::text)"
            " FROM event_log WHERE event_type = 'OrderPlaced' AND payload ->> 'user_id' = %s",
            [user_id, NAME, CITY, str(user_id)],
        )


def test_an_erasure_that_forgets_the_answers_is_found(person: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "_erase_answers", lambda _: None)
    erase(person)
    drain()
    assert {table for table, _ in found()} == {"idempotency_keys"}


def test_a_repeated_request_is_answered_without_the_person(person: int) -> None:
    erase(person)
    ((status, body),) = rows("SELECT status, body FROM idempotency_keys")
    assert status == 201
    assert '"customer":null' in body


def test_a_closed_account_lets_nobody_in(person: int) -> None:
    User.objects.filter(pk=person).update(is_staff=True)
    client = client_of(person)
    erase(person)
    assert client.get("/api/v1/orders").status_code == 401
    user = User.objects.get(pk=person)
    assert (user.username, user.is_active, user.is_staff, user.has_usable_password()) == (
        f"erased-{person}", False, False, False,
    )  # fmt: skip
    assert rows("SELECT count(*) FROM django_session") == [(0,)]


def test_the_order_tells_of_it_in_its_timeline(person: int) -> None:
    erase(person)
    drain()
    order_id = rows("SELECT min(order_id) FROM orders")[0][0]
    answer = staff().get(f"/api/v1/orders/{order_id}").json()
    assert answer["customer"] is None
    assert [entry["event"] for entry in answer["timeline"]] == ["OrderPlaced", "CustomerErased"]
    assert "lines" not in answer["timeline"][-1]


def test_an_interrupted_erasure_is_finished_by_a_repetition(
    person: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "ORDERS_AT_ONCE", 1)
    with monkeypatch.context() as broken:
        erase_some, calls = erasure._erase_orders, iter("x")
        broken.setattr(erasure, "_erase_orders", lambda *given: (next(calls), erase_some(*given)))
        with pytest.raises(StopIteration):
            erase(person)
    assert rows("SELECT count(*) FROM orders WHERE ship_name = ''") == [(1,)]
    erase(person)
    drain()
    assert found() == set()
    assert [event for event, _ in messages()] == []
    assert rows("SELECT count(*) FROM event_log WHERE event_type = 'CustomerErased'") == [(3,)]


def test_the_command_counts_first_then_erases_and_notes_why(person: int) -> None:
    out = StringIO()
    call_command("erase_person", str(person), "--reason", "they asked", "--dry-run", stdout=out)
    assert "3 orders" in out.getvalue()
    assert rows("SELECT count(*) FROM operator_actions") == [(0,)]
    call_command("erase_person", str(person), "--reason", "they asked", stdout=out)
    ((action, subject, reason, details),) = rows(
        "SELECT action, subject, reason, details::text FROM operator_actions"
    )
    assert (action, subject, reason) == ("person erased", f"user:{person}", "they asked")
    assert '"orders": 3' in details
    with pytest.raises(CommandError, match="no user"):
        call_command("erase_person", "999999", "--reason", "they asked")
    with pytest.raises(CommandError, match="reason"):
        call_command("erase_person", str(person), "--reason", " ")


def test_an_order_that_does_not_exist_cannot_be_erased() -> None:
    with pytest.raises(NotFound):
        do(EraseCustomer(order_id=1))
