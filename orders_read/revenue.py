"""What the pages say about revenue: a sum, two charts of its days, and the rows of a table."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import orjson

from . import queries
from .charts import Revenue, revenue_chart

RECENT_DAYS = 30

Document = dict[str, Any]


def recent_days(last: date) -> tuple[date, date]:
    """Return the first and the last of the days that a page shows when nobody chose any."""
    return last - timedelta(RECENT_DAYS - 1), last


def revenue_of(start: date, end: date, by: str = "day") -> Document:
    """Return the sum, the rows of the table, and two charts: a wide one, and one that can be read on a telephone."""
    daily: Document = orjson.loads(queries.daily_revenue(start, end, by="day"))
    table = daily if by == "day" else orjson.loads(queries.daily_revenue(start, end, by=by))
    days = [_of_day(row) for row in daily["results"]]
    return {
        "start": start,
        "end": end,
        "total": daily["total"],
        "rows": _table_rows(table["results"], by),
        "wide": revenue_chart(days, start, end, width=1080, height=320),
        "narrow": revenue_chart(days, start, end, width=340, height=250),
    }


def _of_day(row: Document) -> Revenue:
    amounts = {name: Decimal(row[name]) for name in ("gross", "returned", "cancelled", "net")}
    return Revenue(date.fromisoformat(row["day"]), **amounts)


def _table_rows(rows: list[Document], by: str) -> list[Document]:
    """Add each row's label and its part of the greatest gross; days and months come newest first."""
    greatest = max((Decimal(row["gross"]) for row in rows), default=Decimal(0)) or Decimal(1)
    labelled = [{**row, "label": row[by], "share": Decimal(row["gross"]) / greatest * 100} for row in rows]
    return labelled[::-1] if by in ("day", "month") else labelled
