"""The plots of the report, each drawn for a wide page and for a phone."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from asof.pages import drawing, words
from asof.pages.drawing import hint, scale, short, spread, tag, text, tick_labels, ticks

WIDE, NARROW = 720, 350
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 10, 30


@dataclass(frozen=True)
class _Box:
    """The frame of a plot: outer size, and the ranges of its axes."""

    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]
    left: float = _LEFT

    def across(self) -> drawing.Scale:
        return scale(*self.x, self.left, self.width - _RIGHT)

    def up(self) -> drawing.Scale:
        return scale(*self.y, self.height - _BOTTOM, _TOP)

    def levels(self, count: int = 5) -> str:
        """Grid lines with their numbers on the left."""
        up, parts = self.up(), []
        marks = ticks(*self.y, count)
        for value, label in zip(marks, tick_labels(marks), strict=True):
            y = up(value)
            parts.append(tag("line", x1=self.left, x2=self.width - _RIGHT, y1=y, y2=y, class_="grid"))
            parts.append(text(label, self.left - 7, y + 4, anchor="end"))
        return "".join(parts)

    def foot(self, marks: Sequence[tuple[float, str]]) -> str:
        """Labels under the plot, kept inside its width."""
        across, parts = self.across(), []
        for value, label in marks:
            x = across(value)
            half = len(label) * 3.4
            anchor = "start" if x - half < self.left - 8 else "end" if x + half > self.width else "middle"
            parts.append(tag("line", x1=x, x2=x, y1=self.height - _BOTTOM, y2=self.height - _BOTTOM + 4, class_="axis"))
            parts.append(text(label, x, self.height - _BOTTOM + 18, anchor=anchor))
        return "".join(parts)


def both(draw: Callable[[float], str]) -> str:
    """Draw for two widths; the page shows the one that fits, so that letters keep their size."""
    return f'<div class="wide">{draw(WIDE)}</div><div class="narrow">{draw(NARROW)}</div>'


def _svg(box: _Box, content: str, label: str) -> str:
    view = f"0 0 {short(box.width)} {short(box.height)}"
    return tag("svg", content, viewBox=view, role="img", aria_label=label, class_="plot")


def periods(frame: pl.DataFrame, zone: str, unit: str) -> str:
    """Observed and predicted totals over time."""
    local = frame.sort("start").with_columns(pl.col("start").dt.convert_time_zone(zone).dt.replace_time_zone(None))
    times: list[datetime] = local["start"].to_list()
    if len(times) < 2:
        return ""
    seconds = [(moment - times[0]).total_seconds() for moment in times]
    observed, predicted = _floats(local, "observed"), _floats(local, "predicted")
    low, high = _floats(local, "low"), _floats(local, "high")

    def draw(width: float) -> str:
        y_range = spread([*observed, *predicted, *low, *high], zero=min(predicted) < 0.5 * max(predicted))
        box = _Box(width, 260 if width == WIDE else 220, (0, seconds[-1]), y_range)
        across, up = box.across(), box.up()
        marks = drawing.time_ticks(times[0], times[-1], int(width / 78))
        foot = [((mark.moment - times[0]).total_seconds(), mark.label) for mark in marks]
        parts = [box.levels(), box.foot(foot)]
        if low and high:
            edge = [(across(s), up(v)) for s, v in zip(seconds, low, strict=True)]
            back = [(across(s), up(v)) for s, v in zip(reversed(seconds), reversed(high), strict=True)]
            parts.append(tag("path", d=drawing.path([*edge, *back]) + "Z", class_="band"))
        line = [(across(s), up(v)) for s, v in zip(seconds, observed, strict=True)]
        parts.append(tag("path", d=drawing.path(line), class_="observed"))
        line = [(across(s), up(v)) for s, v in zip(seconds, predicted, strict=True)]
        parts.append(tag("path", d=drawing.path(line), class_="predicted"))
        if len(times) <= 120:
            parts.extend(
                tag("circle", hint(_told(moment, seen, said)), cx=across(s), cy=up(seen), r=2.6, class_="dot")
                for moment, s, seen, said in zip(times, seconds, observed, predicted, strict=True)
                if math.isfinite(seen)
            )
        return _svg(box, "".join(parts), f"{unit} observed and predicted over time")

    return both(draw)


def horizons(frame: pl.DataFrame, metric: str) -> str:
    """The score by horizon with its interval, beside the baseline."""
    labels: list[str] = [str(value) for value in frame["horizon"].to_list()]
    value, base = _floats(frame, "value"), _floats(frame, "baseline")
    low, high = _floats(frame, "low"), _floats(frame, "high")

    def draw(width: float) -> str:
        box = _Box(width, 230, (-0.5, len(labels) - 0.5), spread([*value, *base, *low, *high]))
        across, up = box.across(), box.up()
        step = -(-len(labels) // int(width / 44))
        parts = [box.levels(), box.foot([(i, label) for i, label in enumerate(labels) if i % step == 0])]
        for index, label in enumerate(labels):
            x = across(index)
            told = f"{label} ahead: {words.number(value[index])}, baseline {words.number(base[index])}"
            if math.isfinite(base[index]):
                parts.append(tag("line", x1=x - 9, x2=x + 9, y1=up(base[index]), y2=up(base[index]), class_="base"))
            if math.isfinite(low[index]) and math.isfinite(high[index]):
                parts.append(tag("line", x1=x, x2=x, y1=up(low[index]), y2=up(high[index]), class_="whisker"))
            if math.isfinite(value[index]):
                parts.append(tag("circle", hint(told), cx=x, cy=up(value[index]), r=4.5, class_="mark"))
        return _svg(box, "".join(parts), f"{words.title(metric)} by horizon, model and baseline")

    return both(draw)


def calibration(frame: pl.DataFrame, unit: str) -> str:
    """Mean label by group of prediction, against the diagonal of perfect agreement."""
    said, seen = _floats(frame, "predicted"), _floats(frame, "observed")
    low, high = _floats(frame, "low"), _floats(frame, "high")
    bounds = spread([*said, *seen, *low, *high], zero=True)
    box = _Box(NARROW, 320, bounds, bounds, left=46)
    across, up = box.across(), box.up()
    start, end = bounds
    marks = ticks(*bounds, 5)
    parts = [box.levels(), box.foot(list(zip(marks, tick_labels(marks), strict=True)))]
    parts.append(tag("line", x1=across(start), y1=up(start), x2=across(end), y2=up(end), class_="ideal"))
    for index, (x, y) in enumerate(zip(said, seen, strict=True)):
        if low and high and math.isfinite(low[index]) and math.isfinite(high[index]):
            parts.append(
                tag("line", x1=across(x), x2=across(x), y1=up(low[index]), y2=up(high[index]), class_="whisker")
            )
        told = hint(f"predicted {words.number(x)}, observed {words.number(y)} {unit}")
        parts.append(tag("circle", told, cx=across(x), cy=up(y), r=4.5, class_="mark"))
    return _svg(box, "".join(parts), "Mean observed by group of predictions")


def pit(frame: pl.DataFrame) -> str:
    """Randomised PIT: flat bars mean that the spread of the predictions is right."""
    shares = _floats(frame, "share")
    even = 1 / len(shares)
    box = _Box(NARROW, 320, (0, 1), (0, max(*shares, even, 2 * even) * 1.08), left=46)
    across, up = box.across(), box.up()
    parts = [box.foot([(0, "0"), (0.5, "0.5"), (1, "1")])]
    for value in ticks(*box.y, 5):
        parts.append(tag("line", x1=box.left, x2=box.width - _RIGHT, y1=up(value), y2=up(value), class_="grid"))
        parts.append(text(words.percent(value, 0), box.left - 7, up(value) + 4, anchor="end"))
    for index, share in enumerate(shares):
        x, wide = across(index * even), across(even) - across(0)
        told = hint(f"{words.percent(share)} of the labels; {words.percent(even)} would be even")
        parts.append(tag("rect", told, x=x + 1, y=up(share), width=wide - 2, height=up(0) - up(share), class_="bar"))
    parts.append(tag("line", x1=box.left, x2=box.width - _RIGHT, y1=up(even), y2=up(even), class_="ideal"))
    return _svg(box, "".join(parts), "Histogram of the probability integral transform")


def strip(values: Sequence[float], bounds: tuple[float, float], *, chosen: bool) -> str:
    """One row of the leaderboard: a dot for each fold and a line at their mean; an arrow where that lies beyond."""
    across = scale(*bounds, 6, 174)
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return ""
    mean = sum(known) / len(known)
    parts = [tag("line", x1=2, x2=178, y1=12, y2=12, class_="grid")]
    seen = [value for value in known if bounds[0] <= value <= bounds[1]]
    parts += [tag("circle", hint(words.number(v)), cx=across(v), cy=12, r=3, class_="fold") for v in seen]
    if bounds[0] <= mean <= bounds[1]:
        kind = "mean chosen" if chosen else "mean"
        parts.append(tag("line", x1=across(mean), x2=across(mean), y1=3, y2=21, class_=kind))
    else:
        tip = "M170 6l7 6-7 6" if mean > bounds[1] else "M10 6l-7 6 7 6"
        parts.append(tag("path", d=tip, class_="beyond"))
    return tag("svg", "".join(parts), viewBox="0 0 180 24", class_="strip", aria_hidden="true")


def bar(share: float) -> str:
    """Draw a bar of 0..1 of the full width, for a cell of a table."""
    return tag(
        "svg",
        tag("rect", x=0, y=5, width=max(share, 0) * 120, height=9, rx=2, class_="bar"),
        viewBox="0 0 120 20",
        preserveAspectRatio="xMinYMid",
        class_="strip",
        aria_hidden="true",
    )


def _floats(frame: pl.DataFrame, column: str) -> list[float]:
    """Values with NaN for unknown ones; empty where there is no such column."""
    if column not in frame.columns:
        return []
    return frame[column].cast(pl.Float64).fill_null(float("nan")).to_list()


def _told(moment: datetime, seen: float, said: float) -> str:
    when = f"{moment.day} {moment:%b %Y}" + ("" if (moment.hour, moment.minute) == (0, 0) else f" {moment:%H:%M}")
    return f"{when}: observed {words.number(seen)}, predicted {words.number(said)}"
