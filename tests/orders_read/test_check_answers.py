"""Tests of check_answers: a small shop and its answers, right and wrong."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from orders_write.commands import CancelOrder, CreditNoteLine, OrderLine, RecordCreditNote
from orders_write.models import User
from outbox.delivery import drain
from tests.orders_write.shop import customer, do, list_products, wish

pytestmark = pytest.mark.usefixtures("database")

FILES = {
    "orders.csv": """
        order_id,placed_at,customer_id,country,lines,units,total
        7,2010-12-01 08:00:00,N-ada,France,2,3,7.5
        8,2010-12-02 09:00:00,,France,1,1,2.5""",
    "customers.csv": """
        customer_id,orders,lines,units,revenue_K,first_order_at,last_order_at,last_order_id,credit_notes,cancelled_value
        N-ada,1,2,3,7.5,2010-12-01 08:00:00,2010-12-01 08:00:00,7,1,-2""",
    "products.csv": """
        sku,orders,lines,units,revenue_S,units_returned,cancelled_value
        12345A,2,2,3,7.5,0,0
        POST,1,1,1,2.50,1,-2""",
    "daily.csv": """
        date,orders,lines,units,revenue_S,credit_notes,cancelled_value,revenue_N
        2010-12-01,1,2,3,7.5,0,0,7.5
        2010-12-02,1,1,1,2.5,1,-2,0.5""",
    "daily_by_country.csv": """
        date,country,orders,lines,units,revenue
        2010-12-01,France,1,2,3,7.5
        2010-12-02,France,1,1,1,2.5""",
    "summary.json": json.dumps(
        {
            "expected_command_counts": {
                "PlaceOrder (accepted)": 2,
                "RecordCreditNote": 1,
                "rejected: write_off only": 1,
                "rejected: zero_price only": 0,
                "rejected: adjustment": 0,
                "rejected: anomaly": 0,
            },
            "S": {
                "orders": 2,
                "revenue": "10.000",
                "guest_orders": 1,
                "per_month [month, orders, revenue]": [["2010-12", 2, "10"]],
                "top20_orders_by_total [order_id, total]": [["7", "7.5"], ["8", "2.5"]],
                "max_lines_in_one_order": ["7", 2],
                "lines_with_more_than_2_decimals": 0,
            },
            "K": {"orders": 1, "customers": 1, "per_country": [["France", 1, 2, "7.5"]]},
            "N": {"revenue": "8", "units": 3, "top20_customers": [["N-ada", 1, "5.5"]]},
            "cancellations": {"value": "-2", "lines": 1, "per_month": [["2010-12", 1, "-2"]]},
            "geo": {"centre": "London"},
        }
    ),
}  # fmt: skip


@pytest.fixture
def answers(database, tmp_path):
    list_products("12345A", "POST")
    ada = customer("ada")
    wanted = (OrderLine(sku="12345A", qty=2), OrderLine(sku="POST", qty=1))
    origin = {"source": "sample", "address_required": False}
    do(wish(ada, lines=wanted, reference="7", **origin), now=datetime(2010, 12, 1, 8, tzinfo=UTC))
    do(wish(None, ("12345A", 1), reference="8", **origin), now=datetime(2010, 12, 2, 9, tzinfo=UTC))
    back = CreditNoteLine(sku="POST", qty=1, price=Decimal(2))
    credit_note = RecordCreditNote(user_id=ada, lines=(back,), country="France", source="sample")
    do(credit_note, now=datetime(2010, 12, 2, 9, tzinfo=UTC))
    drain()
    for name, text in FILES.items():
        lines = [line.strip() for line in text.strip().splitlines()]
        (tmp_path / name).write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


def check(folder, *options):
    output = StringIO()
    call_command("check_answers", folder, "--source", "sample", *options, stdout=output)
    return output.getvalue()


def failure(folder, *options):
    with pytest.raises(CommandError) as caught:
        check(folder, *options)
    return caught.value


def change(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_right_answers_are_all_equal(answers):
    output = check(answers)

    assert "answers are equal." in output
    assert "not yet answered" in output


def test_an_order_placed_in_the_shop_changes_no_answer_about_the_sample(answers):
    list_products("mug")
    ada = User.objects.get(username="ada")
    for buyer in (customer("bob"), ada.pk):
        do(wish(buyer, ("12345A", 5), ("mug", 1)))
        cancelled = do(wish(buyer, ("12345A", 3))).state
        do(CancelOrder(order_id=cancelled.order_id))
    drain()

    assert "answers are equal." in check(answers)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("orders.csv", "7.5", "7.5001"),
        ("orders.csv", "\n8,2010-12-02 09:00:00,,France,1,1,2.5", ""),
        ("customers.csv", "N-ada,1", "N-ada,2"),
        ("products.csv", "12345A", "12345a"),
        ("daily.csv", "0.5", "0.6"),
        ("daily_by_country.csv", "02,France", "02,Spain"),
        ("summary.json", '"10.000"', '"10.001"'),
    ],
)
def test_a_wrong_answer_is_reported(answers, name, old, new):
    change(answers / name, old, new)

    assert failure(answers).returncode == 1


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_that_is_missing_or_cut_off_is_named(answers, name):
    path = answers / name
    path.write_text(path.read_text(encoding="utf-8")[:12], encoding="utf-8")
    assert (failure(answers).returncode, name in str(failure(answers))) == (2, True)

    path.unlink()
    assert (failure(answers).returncode, name in str(failure(answers))) == (2, True)


@pytest.mark.parametrize(
    ("records", "code"),
    [
        ([{"seq": 1, "expect_reject": "negative_quantity", "rule": "QuantityBelowOne"}], None),
        ([{"seq": 1, "expect_reject": "negative_quantity", "rule": "UnknownProduct"}], 1),
        ([{"seq": 1, "rule": "UnknownProduct"}], 1),
        ([], 1),
    ],
)
def test_refusals_are_compared_with_what_the_file_expects(answers, tmp_path, records, code):
    report = tmp_path / "report.jsonl"
    report.write_text("".join(f"{json.dumps(record)}\n" for record in records))

    if code:
        assert failure(answers, "--rejects", report).returncode == code
    else:
        assert "are equal" in check(answers, "--rejects", report)


def test_a_report_that_is_no_json_is_named(answers, tmp_path):
    report = tmp_path / "report.jsonl"
    report.write_text("{")

    assert failure(answers, "--rejects", report).returncode == 2
