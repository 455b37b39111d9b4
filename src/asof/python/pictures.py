"""Small pictures of frames for notebooks: bars and lines, plain SVG and HTML without script or further library."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from html import escape
from typing import Any

import polars as pl

from asof.errors import DataError
from asof.pages import drawing, words
from asof.pages.drawing import scale, spread, tag, tick_labels, ticks

COLOURS = ("#3b76af", "#d1782f", "#5b9a4b", "#8a63a8")
"""One a line; legible on white and on black."""
WIDE, HIGH = 720, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 26, 26


@dataclass(frozen=True)
class Picture:
    """A picture that a notebook shows."""

    html: str = field(repr=False)

    def _repr_html_(self) -> str:
        return self.html


def bars(frame: pl.DataFrame, name: str, value: str) -> Picture:
    """A bar for each row of ``frame``: its ``name`` and the length of its ``value``."""
    _known(frame, (name, value))
    most = max((abs(number) for number in frame[value].drop_nulls().to_list()), default=0) or 1
    rows = []
    for label, number in frame.select(name, value).iter_rows():
        length = 0 if number is None else 100 * abs(number) / most
        colour = COLOURS[0] if (number or 0) >= 0 else COLOURS[1]
        bar = f'<div style="width:{length:.1f}%;height:.8em;background:{colour}"></div>'
        told = "" if number is None else words.number(number)
        rows.append(
            f'<tr><td style="text-align:left">{escape(str(label))}</td>'
            f'<td style="width:22em">{bar}</td><td style="text-align:right">{told}</td></tr>'
        )
    head = f"<caption>{escape(value)} by {escape(name)}</caption>"
    return Picture(f'<table style="font-variant-numeric:tabular-nums">{head}{"".join(rows)}</table>')


def lines(frame: pl.DataFrame, x: str, y: str | Sequence[str]) -> Picture:
    """A line over ``x`` (moments, days or numbers) for each column of ``y``; a gap where a value is unknown."""
    columns = [y] if isinstance(y, str) else list(y)
    _known(frame, (x, *columns))
    rows = frame.drop_nulls(x).sort(x)
    if rows.height < 2:
        message = f"a line needs two rows with {x}; there are {rows.height}"
        raise DataError(message)
    told = [_moment(value) for value in rows[x].to_list()]
    at = [(one - told[0]).total_seconds() if isinstance(one, datetime) else float(one) for one in told]
    values = {name: [math.nan if one is None else float(one) for one in rows[name].to_list()] for name in columns}
    bounds = spread([one for each in values.values() for one in each], zero=True)
    across, up = scale(at[0], at[-1], _LEFT, WIDE - _RIGHT), scale(*bounds, HIGH - _BOTTOM, _TOP)
    parts = _grid(bounds, up) + _foot(told, at, across)
    for index, (name, each) in enumerate(values.items()):
        colour = COLOURS[index % len(COLOURS)]
        path = drawing.path([(across(s), up(v)) for s, v in zip(at, each, strict=True)])
        parts.append(tag("path", d=path, fill="none", stroke=colour, stroke_width=1.6))
        parts.append(_text(name, _LEFT + 150 * index, 14, colour=colour))
    view = f"0 0 {WIDE} {HIGH}"
    label = f"{', '.join(columns)} over {x}"
    style = f"max-width:{WIDE}px;width:100%;font:12px sans-serif"
    return Picture(tag("svg", "".join(parts), viewBox=view, role="img", aria_label=label, style=style))


def _known(frame: pl.DataFrame, names: Sequence[str]) -> None:
    lacking = [name for name in names if name not in frame.columns]
    if lacking:
        message = f"the frame has no column {', '.join(lacking)}; it has {', '.join(frame.columns)}"
        raise DataError(message)


def _moment(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return datetime(value.year, value.month, value.day) if isinstance(value, date) else value  # noqa: DTZ001 - local


def _grid(bounds: tuple[float, float], up: drawing.Scale) -> list[str]:
    marks, parts = ticks(*bounds, 5), []
    for value, label in zip(marks, tick_labels(marks), strict=True):
        y = up(value)
        parts.append(tag("line", x1=_LEFT, x2=WIDE - _RIGHT, y1=y, y2=y, stroke="#8886", stroke_width=0.7))
        parts.append(_text(label, _LEFT - 7, y + 4, anchor="end"))
    return parts


def _foot(told: Sequence[Any], at: Sequence[float], across: drawing.Scale) -> list[str]:
    if isinstance(told[0], datetime):
        marks = drawing.time_ticks(told[0], told[-1], 9)
        places = [((mark.moment - told[0]).total_seconds(), mark.label) for mark in marks]
    else:
        numbers = ticks(at[0], at[-1], 8)
        places = list(zip(numbers, tick_labels(numbers), strict=True))
    return [_text(label, across(value), HIGH - 8, anchor="middle") for value, label in places]


def _text(content: str, x: float, y: float, *, anchor: str = "start", colour: str = "#888") -> str:
    return tag("text", escape(content), x=x, y=y, text_anchor=anchor, fill=colour)
