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
    """Observed and predicted figures over time, with a dot for each period where there are not too many."""
    frame = frame.sort("start")
    times = _local(frame, zone)
    if len(times) < 2:
        return ""
    observed, predicted = _floats(frame, "observed"), _floats(frame, "predicted")
    low, high = _floats(frame, "low"), _floats(frame, "high")
    zero = min(filter(math.isfinite, predicted), default=0) < 0.5 * max(filter(math.isfinite, predicted), default=0)
    series = (("observed", observed), ("predicted", predicted))
    return _over_time(times, series, (low, high), zero=zero, label=f"{unit} observed and predicted over time")


def errors(frame: pl.DataFrame, zone: str, unit: str) -> str:
    """Mean absolute error over time, of the model and of the simple rule."""
    frame = frame.sort("start")
    times = _local(frame, zone)
    ours, rule = _floats(frame, "error"), _floats(frame, "rule")
    if len(times) < 2 or not ours or not rule:
        return ""
    series = (("ruled", rule), ("predicted", ours))
    return _over_time(times, series, ([], []), zero=True, label=f"Mean error over time in {unit}, model and rule")


_NAMES = {"observed": "observed", "predicted": "predicted", "ruled": "simple rule"}
_DOTTED = 120
"""More periods than this are drawn without dots."""


def _over_time(
    times: Sequence[datetime],
    series: Sequence[tuple[str, Sequence[float]]],
    band: tuple[Sequence[float], Sequence[float]],
    *,
    zero: bool,
    label: str,
) -> str:
    seconds = [(moment - times[0]).total_seconds() for moment in times]
    low, high = band
    values = [value for _, each in series for value in each]

    def draw(width: float) -> str:
        y_range = spread([*values, *low, *high], zero=zero)
        height = (190 if zero else 260) if width == WIDE else (180 if zero else 220)
        box = _Box(width, height, (0, seconds[-1]), y_range)
        across, up = box.across(), box.up()
        marks = drawing.time_ticks(times[0], times[-1], int(width / 78))
        foot = [((mark.moment - times[0]).total_seconds(), mark.label) for mark in marks]
        parts = [box.levels(), box.foot(foot)]
        if low and high:
            edge = [(across(s), up(v)) for s, v in zip(seconds, low, strict=True)]
            back = [(across(s), up(v)) for s, v in zip(reversed(seconds), reversed(high), strict=True)]
            parts.append(tag("path", d=drawing.path([*edge, *back]) + "Z", class_="band"))
        for kind, each in series:
            line = [(across(s), up(v)) for s, v in zip(seconds, each, strict=True)]
            parts.append(tag("path", d=drawing.path(line), class_=kind))
        if len(times) <= _DOTTED:
            kind, first = series[0]
            parts.extend(
                tag("circle", hint(_told(moment, index, series)), cx=across(s), cy=up(v), r=2.6, class_=f"dot {kind}")
                for index, (moment, s, v) in enumerate(zip(times, seconds, first, strict=True))
                if math.isfinite(v)
            )
        return _svg(box, "".join(parts), label)

    return both(draw)


def _local(frame: pl.DataFrame, zone: str) -> list[datetime]:
    told: list[datetime] = frame["start"].dt.convert_time_zone(zone).dt.replace_time_zone(None).to_list()
    return told


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


def calibration(frame: pl.DataFrame, unit: str, *, percent: bool = False) -> str:
    """Mean label by group of prediction, against the diagonal of perfect agreement; ``percent`` for probabilities."""
    said, seen = _floats(frame, "predicted"), _floats(frame, "observed")
    low, high = _floats(frame, "low"), _floats(frame, "high")
    bounds = (0.0, 1.0) if percent else spread([*said, *seen, *low, *high], zero=True)
    box, parts = _square(bounds, percent=percent)
    across, up = box.across(), box.up()
    write = words.percent if percent else words.number
    for index, (x, y) in enumerate(zip(said, seen, strict=True)):
        if low and high and math.isfinite(low[index]) and math.isfinite(high[index]):
            ends = (up(max(low[index], bounds[0])), up(min(high[index], bounds[1])))
            parts.append(tag("line", x1=across(x), x2=across(x), y1=ends[0], y2=ends[1], class_="whisker"))
        told = hint(f"predicted {write(x)}, observed {write(y)} {'' if percent else unit}".rstrip())
        parts.append(tag("circle", told, cx=across(x), cy=up(y), r=4.5, class_="mark"))
    return _svg(box, "".join(parts), "Mean observed by group of predictions; on the dashed line they agree")


def roc(frame: pl.DataFrame) -> str:
    """Share of the class that is found against the share of the others that is flagged with it."""
    box, parts = _square((0.0, 1.0), percent=True)
    across, up = box.across(), box.up()
    points = [(across(x), up(y)) for x, y in zip(_floats(frame, "false"), _floats(frame, "true"), strict=True)]
    parts.append(tag("path", d=drawing.path(points), class_="predicted"))
    return _svg(box, "".join(parts), "Found against falsely flagged at every threshold (ROC curve)")


def _square(bounds: tuple[float, float], *, percent: bool) -> tuple[_Box, list[str]]:
    """Return a square plot with a grid and the diagonal."""
    box = _Box(NARROW, 320, bounds, bounds, left=46)
    marks = [0.0, 0.25, 0.5, 0.75, 1.0] if percent else ticks(*bounds, 5)
    labels = [words.percent(mark, 0) for mark in marks] if percent else tick_labels(marks)
    across, up = box.across(), box.up()
    parts = [] if percent else [box.levels()]
    for value, label in zip(marks, labels, strict=True) if percent else ():
        parts.append(tag("line", x1=box.left, x2=box.width - _RIGHT, y1=up(value), y2=up(value), class_="grid"))
        parts.append(text(label, box.left - 7, up(value) + 4, anchor="end"))
    parts.append(box.foot(list(zip(marks, labels, strict=True))))
    start, end = bounds
    parts.append(tag("line", x1=across(start), y1=up(start), x2=across(end), y2=up(end), class_="ideal"))
    return box, parts


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


def held(share: float, promised: float, lowest: float) -> str:
    """One row of a table of coverage: a dot at what was found, a line at what was promised."""
    across = scale(min(lowest, promised), 1.0, 6, 174)
    parts = [tag("line", x1=2, x2=178, y1=12, y2=12, class_="grid")]
    parts.append(tag("line", x1=across(promised), x2=across(promised), y1=3, y2=21, class_="mean"))
    parts.append(tag("circle", cx=across(share), cy=12, r=4.5, class_="mark"))
    return tag("svg", "".join(parts), viewBox="0 0 180 24", class_="strip", aria_hidden="true")


def _floats(frame: pl.DataFrame, column: str) -> list[float]:
    """Values with NaN for unknown ones; empty where there is no such column."""
    if column not in frame.columns:
        return []
    return frame[column].cast(pl.Float64).fill_null(float("nan")).to_list()


def _told(moment: datetime, index: int, series: Sequence[tuple[str, Sequence[float]]]) -> str:
    when = f"{moment.day} {moment:%b %Y}" + ("" if (moment.hour, moment.minute) == (0, 0) else f" {moment:%H:%M}")
    return f"{when}: " + ", ".join(f"{_NAMES[kind]} {words.number(each[index])}" for kind, each in series)
