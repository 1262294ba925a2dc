"""What a command stream may look like, and the sentence for each way of being wrong."""

import lzma
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from orders_write import commands
from orders_write.importing.catalogue import read_products
from orders_write.importing.customers import read_customers
from orders_write.importing.files import BadFile
from orders_write.importing.records import SHAPES, Names
from orders_write.importing.stream import owner, records, survey

LINE = {"line_no": 7, "sku": "85123A", "qty": 6, "unit_price": "2.55"}
PLACE = {
    "seq": 1,
    "type": "PlaceOrder",
    "order_id": "536365",
    "occurred_at": "2010-12-01T08:26:00Z",
    "customer_id": "17850",
    "country": "France",
    "lines": [LINE],
}
CREDIT_LINE = LINE | {"orig_order_id": "536365", "orig_line_no": 7}
CREDIT = PLACE | {"type": "RecordCreditNote", "credit_note_id": "C1", "seq": 2, "lines": [CREDIT_LINE]}
del CREDIT["order_id"]
NAMES = Names(users={"17850": 5}, orders={"536365": 9}, source="online_retail")


def stream(tmp_path: Path, *lines: Any) -> Path:
    path = tmp_path / "commands.jsonl"
    path.write_bytes(b"\n".join(line if type(line) is bytes else orjson.dumps(line) for line in lines))
    return path


def only_command(tmp_path: Path, line: dict[str, Any]) -> commands.Command:
    (record,) = records(stream(tmp_path, line))
    return record.command(NAMES)


def complaint(path: Path) -> str:
    with pytest.raises(BadFile) as caught:
        survey(path)
    return str(caught.value)


def test_an_order_of_the_data_set_is_read_with_its_agreed_prices(tmp_path: Path) -> None:
    command = only_command(tmp_path, PLACE)

    line = commands.OrderLine(sku="85123A", qty=6, price=Decimal("2.55"), line_no=7)
    address = commands.Address(country="France")
    assert command == commands.PlaceOrder(
        user_id=5,
        lines=(line,),
        address=address,
        source="online_retail",
        reference="536365",
        address_required=False,
    )


def test_a_credit_note_of_the_data_set_names_the_lines_that_came_back(tmp_path: Path) -> None:
    command = only_command(tmp_path, CREDIT | {"cancels_whole_order": "536365"})

    assert isinstance(command, commands.RecordCreditNote)
    (line,) = command.lines
    assert (line.order_reference, line.order_line_no, line.price) == ("536365", 7, Decimal("2.55"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            {"type": "ChargePayment", "order_id": "536365", "amount": "15.30", "reference": "p1"},
            commands.ChargePayment(order_id=9, amount=Decimal("15.30"), reference="p1"),
        ),
        (
            {"type": "ship_order", "order_id": "536365", "carrier": "post"},
            commands.ShipOrder(order_id=9, carrier="post"),
        ),
        ({"type": "DeliverOrder", "order_id": "536365"}, commands.DeliverOrder(order_id=9)),
        (
            {"type": "cancel_order", "order_id": "536365", "reason": "no"},
            commands.CancelOrder(order_id=9, reason="no"),
        ),
        (
            {"type": "ListProduct", "sku": "A", "name": "a", "category": "c", "price": "1", "on_hand": 3},
            commands.ListProduct(sku="A", name="a", category="c", price=Decimal(1), on_hand=3),
        ),
        (
            {"type": "RepriceProduct", "sku": "A", "price": "2"},
            commands.RepriceProduct(sku="A", price=Decimal(2)),
        ),
        ({"type": "restock_product", "sku": "A", "qty": 2}, commands.RestockProduct(sku="A", qty=2)),
        ({"type": "RetireProduct", "sku": "A"}, commands.RetireProduct(sku="A")),
        (
            {"type": "SetCreditLimit", "customer_id": "17850", "limit": "100"},
            commands.SetCreditLimit(user_id=5, limit=Decimal(100)),
        ),
    ],
)
def test_every_other_command_is_read_by_its_name(
    tmp_path: Path, line: dict[str, Any], expected: commands.Command
) -> None:
    assert only_command(tmp_path, line | {"seq": 1, "occurred_at": "2010-12-01T08:26:00Z"}) == expected


def test_no_command_is_forgotten() -> None:
    known = {kind.__name__ for kind in commands.Command.__args__} - {
        "EraseCustomer"
    }  # nothing that a file asks for

    assert SHAPES.keys() == known


def test_a_survey_finds_customers_times_and_what_belongs_together(tmp_path: Path) -> None:
    guest = PLACE | {"seq": 3, "order_id": "536366", "customer_id": None}
    found = survey(stream(tmp_path, PLACE, CREDIT, guest))

    assert (found.count, found.customers, found.changes_products) == (3, {"17850"}, False)
    assert found.starts_at == datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
    assert found.owners == {"536365": "customer 17850", "536366": "order 536366"}


def test_whatever_names_an_order_goes_with_the_order(tmp_path: Path) -> None:
    guest = PLACE | {"customer_id": None}
    credit = CREDIT | {"customer_id": None}
    ship = {"seq": 3, "type": "ShipOrder", "order_id": "536365", "occurred_at": "2010-12-02T08:26:00Z"}
    path = stream(tmp_path, guest, credit, ship)
    owners = survey(path).owners

    assert len({owner(record, owners) for record in records(path)}) == 1


def test_packed_and_plain_files_are_read_alike(tmp_path: Path) -> None:
    plain = stream(tmp_path, PLACE, b"", CREDIT)
    packed = tmp_path / "commands.jsonl.xz"
    packed.write_bytes(lzma.compress(plain.read_bytes()))

    assert [r.fields.values for r in records(plain)] == [r.fields.values for r in records(packed)]
    assert [r.line for r in records(packed)] == [1, 3]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"{", "this is not JSON"),
        ([], "a JSON object is expected"),
        ({}, "type is missing"),
        (PLACE | {"type": "BuyOrder"}, "unknown type BuyOrder"),
        (PLACE | {"type": {}}, "unknown type {}"),
        (PLACE | {"carrier": "post"}, "unknown field carrier"),
        ({name: PLACE[name] for name in PLACE if name != "seq"}, "seq is missing"),
        (PLACE | {"seq": "1"}, "seq must be a whole number"),
        (PLACE | {"seq": 0}, "seq 0 does not come after 0"),
        (PLACE | {"order_id": ""}, "order_id is missing"),
        (PLACE | {"order_id": "x" * 65}, "order_id must be text of at most 64 characters"),
        (PLACE | {"order_id": "a\0b"}, "without NUL"),
        (PLACE | {"customer_id": 17850}, "customer_id must be text"),
        (PLACE | {"occurred_at": "2010-12-01T08:26:00"}, "occurred_at must be a time with its zone"),
        (PLACE | {"occurred_at": "yesterday"}, "occurred_at must be a time with its zone"),
        (PLACE | {"lines": None}, "lines must be a list"),
        (PLACE | {"lines": ["mug"]}, "each line of an order must be an object"),
        (PLACE | {"lines": [LINE | {"qty": "6"}]}, "qty must be a whole number"),
        (PLACE | {"lines": [LINE | {"qty": True}]}, "qty must be a whole number"),
        (PLACE | {"lines": [LINE | {"qty": 1.5}]}, "qty must be a whole number"),
        (PLACE | {"lines": [LINE | {"qty": 2**31}]}, "qty must be a whole number of at most"),
        (PLACE | {"lines": [LINE | {"unit_price": 2.55}]}, "unit_price must be an amount as text"),
        (PLACE | {"lines": [LINE | {"unit_price": "NaN"}]}, "unit_price must be an amount as text"),
        (PLACE | {"lines": [LINE | {"unit_price": "0.00001"}]}, "at most four decimals"),
        (PLACE | {"lines": [LINE | {"price": "1"}]}, "unknown field price"),
        (
            PLACE | {"lines": [LINE | {"qty": 2, "unit_price": "5000000000"}]},
            "the lines amount to 10000000000 or more",
        ),
    ],
)
def test_a_wrong_line_is_named_with_its_number(tmp_path: Path, line: Any, sentence: str) -> None:
    said = complaint(stream(tmp_path, PLACE | {"seq": 0, "order_id": "1"}, line))

    assert "commands.jsonl, line 2: " in said
    assert sentence in said


def test_a_seq_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    assert "seq 1 does not come after 1" in complaint(stream(tmp_path, PLACE, PLACE))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert complaint(tmp_path / "gone.jsonl").endswith("gone.jsonl: there is no such file.")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert "is a directory" in complaint(tmp_path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    assert "the file is empty" in complaint(stream(tmp_path))


def test_a_packed_file_that_is_cut_off_is_refused_as_a_whole(tmp_path: Path) -> None:
    whole = lzma.compress(b"\n".join(orjson.dumps(PLACE | {"seq": seq}) for seq in range(1, 5_000)))
    path = tmp_path / "commands.jsonl.xz"
    path.write_bytes(whole[: len(whole) // 2])

    assert "the file is cut off" in complaint(path)


def test_a_file_that_only_claims_to_be_packed_is_refused(tmp_path: Path) -> None:
    path = stream(tmp_path, PLACE).rename(tmp_path / "commands.jsonl.xz")

    assert "not an xz file" in complaint(path)


PRODUCTS = "sku,name,is_merchandise,first_sale_price,sold\n"


def test_only_sold_products_are_read_with_their_category(tmp_path: Path) -> None:
    path = tmp_path / "products.csv"
    path.write_text(PRODUCTS + 'A,"Mug, ""blue""",1,0.85,1\nPOST,,0,18,1\nB,gone,1,,0\n')

    mug, post = read_products(path, opening_stock=7)

    assert (mug.name, mug.category, mug.price, mug.on_hand) == (
        'Mug, "blue"',
        "merchandise",
        Decimal("0.85"),
        7,
    )
    assert (post.name, post.category) == ("POST", "other")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sku,name\n", "there is no column first_sale_price, is_merchandise, sold"),
        (PRODUCTS + "A,Mug,1,cheap,1\n", "line 2: first_sale_price must be an amount"),
        (PRODUCTS + "A,Mug,1,0,1\n", "line 2: first_sale_price must be above zero"),
        (PRODUCTS + "A,Mug,1\n", "line 2: the row has not as many values"),
        (PRODUCTS + "A,Mug,1,1,1\nA,Cup,1,1,1\n", "line 3: sku A occurs twice"),
    ],
)
def test_wrong_products_are_named_with_their_line(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "products.csv"
    path.write_text(text)

    with pytest.raises(BadFile) as caught:
        read_products(path, opening_stock=1)
    assert sentence in str(caught.value)


def test_customers_are_read_with_the_day_they_were_first_seen(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("customer_id,first_country,first_seen\n12346,Iceland,2011-01-18 10:01:00\n")

    assert read_customers(path) == {"12346": datetime(2011, 1, 18, 10, 1, tzinfo=UTC)}


def test_a_customer_without_a_time_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("customer_id,first_country,first_seen\n12346,Iceland,soon\n")

    with pytest.raises(BadFile, match=r"line 2: first_seen must be a time"):
        read_customers(path)
