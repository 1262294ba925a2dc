"""Tests of the chart's geometry."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from orders_read.charts import Revenue, revenue_chart

FIRST = date(2026, 3, 2)


def day(number: int, gross: str, returned: str = "0", cancelled: str = "0") -> Revenue:
    amounts = [Decimal(amount) for amount in (gross, returned, cancelled)]
    return Revenue(FIRST + timedelta(number), *amounts, amounts[0] - amounts[1] - amounts[2])


def chart(*days: Revenue, length: int = 7, width: int = 700, height: int = 300):
    return revenue_chart(days, FIRST, FIRST + timedelta(length - 1), width=width, height=height)


def test_every_day_has_a_column_also_one_without_trade():
    drawn = chart(day(0, "10"), day(6, "20"))

    assert [column.revenue.gross for column in drawn.columns] == [10, 0, 0, 0, 0, 0, 20]
    assert drawn.columns[3].bars == []


def test_heights_are_in_proportion_and_stay_inside():
    drawn = chart(day(0, "1000"), day(1, "500", "300", "200"))
    (whole,), (half, undone) = drawn.columns[0].bars, drawn.columns[1].bars

    assert half.height == pytest.approx(whole.height / 2)
    assert undone.height == pytest.approx(half.height)
    assert undone.y == drawn.zero
    assert drawn.columns[1].net_y == drawn.zero
    for column in drawn.columns:
        assert all(drawn.top <= bar.y and bar.y + bar.height <= drawn.height for bar in column.bars)
        assert drawn.left <= column.x
        assert column.x + column.width <= drawn.right + 0.01


def test_the_axis_has_round_amounts_and_a_zero():
    labels = [tick.label for tick in chart(day(0, "39904", "11401")).amounts]

    assert labels == ["−£20k", "£0", "£20k", "£40k"]


def test_the_axis_counts_small_and_great_amounts():
    assert "£0.5" in [tick.label for tick in chart(day(0, "1.2")).amounts]
    assert "£1m" in [tick.label for tick in chart(day(0, "2100000")).amounts]


@pytest.mark.parametrize(
    ("length", "unit", "columns"), [(100, "day", 100), (365, "week", 53), (800, "month", 27)]
)
def test_long_ranges_are_drawn_by_week_or_month(length, unit, columns):
    drawn = chart(day(0, "10"), day(1, "5"), length=length)

    assert (drawn.unit, len(drawn.columns)) == (unit, columns)
    assert sum(column.revenue.gross for column in drawn.columns) == 15


def test_labels_of_dates_never_crowd():
    for width in (340, 1080):
        places = [tick.at for tick in chart(length=90, width=width).dates]
        assert all(later - earlier >= 60 for earlier, later in pairwise(places))


def test_nothing_sold_is_an_empty_chart():
    drawn = chart()

    assert drawn.amounts[0].label == "£0"
    assert all(column.bars == [] for column in drawn.columns)


def test_more_came_back_than_was_sold():
    drawn = chart(day(0, "0", "50"))

    assert drawn.columns[0].net_y > drawn.zero
