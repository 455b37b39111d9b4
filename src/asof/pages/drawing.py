"""SVG by hand: elements with escaped text, scales, ticks. Colours and type come from the page's style."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from itertools import pairwise

Scale = Callable[[float], float]
FAR = 100_000
"""From here on the numbers of an axis, and of a legend, are written with a suffix."""
SUFFIXES = ((1e9, "bn"), (1e6, "M"), (1e3, "k"))
STEPS_OF_DAYS = (1, 2, 7, 14, 28)
STEPS_OF_MONTHS = (1, 2, 3, 6, 12, 24, 60)
STEPS_OF_HOURS = (1, 2, 3, 6, 12)


def tag(name: str, content: str = "", **attributes: str | float) -> str:
    """Write one element; attribute names lose a closing ``_`` and turn ``_`` to ``-``; numbers get one decimal.

    ``content`` is taken as it is: make it with ``tag`` or ``text``.
    """
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value) if isinstance(value, str) else short(value)}"'
        for key, value in attributes.items()
    )
    return f"<{name}{told}>{content}</{name}>" if content else f"<{name}{told}/>"


def text(content: str, x: float, y: float, *, anchor: str = "start", kind: str = "t") -> str:
    """Write a line of text, escaped."""
    return tag("text", escape(content), x=x, y=y, text_anchor=anchor, class_=kind)


def hint(content: str) -> str:
    """Write what shows when the pointer rests on an element, escaped."""
    return f"<title>{escape(content)}</title>"


def short(value: float) -> str:
    """Write a coordinate with at most one decimal: a tenth of a pixel is enough."""
    return f"{value:.1f}".removesuffix(".0")


def path(points: Sequence[tuple[float, float]]) -> str:
    """Join points to the ``d`` of a path; a gap is left where a coordinate is not a number."""
    parts, pen = [], "M"
    for x, y in points:
        if not (math.isfinite(x) and math.isfinite(y)):
            pen = "M"
            continue
        parts.append(f"{pen}{short(x)} {short(y)}")
        pen = "L"
    return "".join(parts)


def scale(low: float, high: float, start: float, end: float) -> Scale:
    """Map [low, high] to [start, end] linearly; an empty range maps to the middle."""
    if high <= low:
        return lambda _value: (start + end) / 2
    return lambda value: start + (value - low) / (high - low) * (end - start)


def ticks(low: float, high: float, count: int) -> list[float]:
    """Round numbers within [low, high], at most ``count`` steps: steps of 1, 2 or 5 times a power of ten."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low or count < 1:
        return [low] if math.isfinite(low) else []
    rough = (high - low) / count
    power = 10 ** math.floor(math.log10(rough))
    step = next((times * power for times in (1, 2, 5) if times * power >= rough * (1 - 1e-9)), 10 * power)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def tick_labels(values: Sequence[float]) -> list[str]:
    """Write the numbers of an axis with the same decimals, as few as tell them apart."""
    step = min((abs(b - a) for a, b in pairwise(values)), default=abs(values[0]) if values else 1.0) or 1.0
    far = max(map(abs, values), default=0.0)
    if far >= FAR:
        size, suffix = next((size, suffix) for size, suffix in SUFFIXES if far >= size)
        return [short if short == "0" else short + suffix for short in tick_labels([value / size for value in values])]
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    return [f"{value:,.{places}f}".replace("-", "−") if round(value, places) else "0" for value in values]


def spread(values: Sequence[float | None], *, zero: bool = False, room: float = 0.06) -> tuple[float, float]:
    """Smallest and largest finite value with a little room; from zero where asked."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    if zero and low >= 0:
        return 0.0, high * (1 + room) or 1.0
    edge = (high - low) * room or abs(high) * room or 1.0
    return low - edge, high + edge


@dataclass(frozen=True)
class DayTick:
    """A moment on a time axis and its label."""

    moment: datetime
    label: str


def time_ticks(first: datetime, last: datetime, count: int) -> list[DayTick]:
    """At most ``count`` moments between ``first`` and ``last`` (local times) that a calendar knows, with labels."""
    days = max((last - first) / timedelta(days=1), 1e-9)
    if days <= count / 2:
        return _hours(first, last, count)
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    midnight = midnight if midnight >= first else midnight + timedelta(days=1)
    for step in STEPS_OF_DAYS:
        if days / step <= count:
            found = [midnight + timedelta(days=index * step) for index in range(int(days / step) + 1)]
            return [DayTick(moment, f"{moment.day} {moment:%b}") for moment in found if moment <= last]
    return _months(first, last, count)


def _hours(first: datetime, last: datetime, count: int) -> list[DayTick]:
    hours = (last - first) / timedelta(hours=1)
    step = next((each for each in STEPS_OF_HOURS if hours / each <= count), 24)
    whole = first.replace(minute=0, second=0, microsecond=0)
    found = [whole + timedelta(hours=index) for index in range(int(hours) + 2)]
    inside = [moment for moment in found if first <= moment <= last and moment.hour % step == 0]
    return [DayTick(m, f"{m.day} {m:%b}" if m.hour == 0 else f"{m:%H:%M}") for m in inside]


def _months(first: datetime, last: datetime, count: int) -> list[DayTick]:
    start = first.year * 12 + first.month - (1 if first.day == 1 else 0)
    months = [start + index for index in range((last.year - first.year) * 12 + last.month - first.month + 2)]
    step = next((each for each in STEPS_OF_MONTHS if len(months) / each <= count), STEPS_OF_MONTHS[-1])
    base = first.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    found = [base.replace(year=index // 12, month=index % 12 + 1) for index in months if index % step == 0]
    return [
        DayTick(moment, f"{moment:%b %Y}" if moment.month == 1 or step >= 12 else f"{moment:%b}")
        for moment in found
        if first <= moment <= last
    ]
