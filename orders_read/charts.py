"""The geometry of the revenue chart: amounts become positions in an SVG, which the template only prints.

Amounts stay Decimal in tables; here they become floats, because a pixel needs no exactness.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

ZERO = Decimal(0)
DAYS_DRAWN_SINGLY = 100
DAYS_DRAWN_BY_WEEK = 750
LEFT, RIGHT, TOP, BOTTOM = 56, 10, 12, 26
LABEL_WIDTH = 64
BAR_WIDTH = 0.64
NET_OVERHANG = 0.1


@dataclass(slots=True)
class Revenue:
    """What was sold, came back, was cancelled and remained in one day, week or month; `start` is its first day."""

    start: date
    gross: Decimal = ZERO
    returned: Decimal = ZERO
    cancelled: Decimal = ZERO
    net: Decimal = ZERO

    @property
    def undone(self) -> Decimal:
        """What was returned or cancelled."""
        return self.returned + self.cancelled

    def add(self, other: "Revenue") -> None:
        """Count another one in."""
        self.gross += other.gross
        self.returned += other.returned
        self.cancelled += other.cancelled
        self.net += other.net


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle; `kind` is gross or undone."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """One day, week or month: its bars, the place of its net value, and the values for whoever points at it."""

    revenue: Revenue
    x: float
    width: float
    middle: float
    net_from: float
    net_to: float
    net_y: float
    bars: list[Bar]


@dataclass(frozen=True, slots=True)
class Tick:
    """A label at a place of an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """All of it, in the units of the SVG; `unit` is what a column stands for."""

    width: int
    height: int
    zero: float
    unit: str
    columns: list[Column]
    amounts: list[Tick] = field(default_factory=list)
    dates: list[Tick] = field(default_factory=list)
    left: int = LEFT
    top: int = TOP

    @property
    def right(self) -> int:
        """Return where the plot ends."""
        return self.width - RIGHT

    @property
    def plot_height(self) -> int:
        """Return how high the plot is, without the labels beneath."""
        return self.height - TOP - BOTTOM


def revenue_chart(days: Iterable[Revenue], start: date, end: date, *, width: int, height: int) -> Chart:
    """Lay out gross above zero, what was undone below it and a mark at what remained; no trade is zero."""
    unit = _unit(start, end)
    periods = _periods(days, start, end, unit)
    step = _round_step(max(_highest(periods) + _deepest(periods), 1.0) / max(2, height // 60))
    top = step * max(1, math.ceil(_highest(periods) / step))
    bottom = -step * math.ceil(_deepest(periods) / step)
    scale = (height - TOP - BOTTOM) / (top - bottom)
    zero = TOP + top * scale
    slot = (width - LEFT - RIGHT) / len(periods)
    columns = [
        _column(period, LEFT + slot * index, slot, zero, scale) for index, period in enumerate(periods)
    ]
    count = round((top - bottom) / step) + 1
    amounts = [
        Tick(zero - (bottom + step * index) * scale, _short(bottom + step * index)) for index in range(count)
    ]
    return Chart(width, height, zero, unit, columns, amounts, _dates(columns, unit, width))


def _unit(start: date, end: date) -> str:
    days = (end - start).days + 1
    if days <= DAYS_DRAWN_SINGLY:
        return "day"
    return "week" if days <= DAYS_DRAWN_BY_WEEK else "month"


def _periods(days: Iterable[Revenue], start: date, end: date, unit: str) -> list[Revenue]:
    first_days = {_first_day(start + timedelta(n), unit) for n in range((end - start).days + 1)}
    periods = {first_day: Revenue(first_day) for first_day in sorted(first_days)}
    for day in days:
        periods[_first_day(day.start, unit)].add(day)
    return list(periods.values())


def _first_day(day: date, unit: str) -> date:
    if unit == "week":
        return day - timedelta(day.weekday())
    return day.replace(day=1) if unit == "month" else day


def _highest(periods: Sequence[Revenue]) -> float:
    return max(0.0, *(float(max(period.gross, period.net)) for period in periods))


def _deepest(periods: Sequence[Revenue]) -> float:
    return max(0.0, *(float(max(period.undone, -period.net)) for period in periods))


def _round_step(rough: float) -> float:
    magnitude = 10.0 ** math.floor(math.log10(rough))
    return next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude >= rough)


def _column(period: Revenue, x: float, slot: float, zero: float, scale: float) -> Column:
    width = max(1.0, slot * BAR_WIDTH)
    left = x + (slot - width) / 2
    up, down = float(period.gross) * scale, float(period.undone) * scale
    bars = [Bar("gross", left, zero - up, width, up), Bar("undone", left, zero, width, down)]
    return Column(
        revenue=period,
        x=x,
        width=slot,
        middle=x + slot / 2,
        net_from=left - slot * NET_OVERHANG,
        net_to=left + width + slot * NET_OVERHANG,
        net_y=zero - float(period.net) * scale,
        bars=[bar for bar in bars if bar.height > 0],
    )


def _short(amount: float) -> str:
    minus, size = ("−" if amount < 0 else ""), abs(amount)
    if size >= 1_000_000:
        return f"{minus}£{size / 1_000_000:g}m"
    return f"{minus}£{size / 1_000:g}k" if size >= 1_000 else f"{minus}£{size:g}"


def _dates(columns: Sequence[Column], unit: str, width: int) -> list[Tick]:
    room = max(1, (width - LEFT - RIGHT) // LABEL_WIDTH)
    every = math.ceil(len(columns) / room)
    style = "%b %Y" if unit == "month" else "%-d %b"
    shown = (column for column in columns[::every] if column.middle <= width - LABEL_WIDTH / 2)
    return [Tick(column.middle, column.revenue.start.strftime(style)) for column in shown]
