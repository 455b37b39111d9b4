"""Curves over time (Plotly): how far off a release was, how often its intervals held, and how strange looks were."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import polars as pl

from asof.ui.drawing import BLUE, GREY, ORANGE

if TYPE_CHECKING:
    import plotly.graph_objects as go

HEIGHT = 280
MARKED = 60
"""Lines of fewer points have a mark at each."""


def errors(judged: pl.DataFrame | None, served: pl.DataFrame | None, zone: str, measure: str) -> "go.Figure":
    """Draw the error by period: as it was judged, that of the simple rule, and in use."""
    figure = _figure(measure)
    if judged is not None:
        if judged["rule"].null_count() < judged.height:
            _line(figure, judged, "rule", zone, {"name": "simple rule", "color": GREY, "dash": "dot"})
        _line(figure, judged, "error", zone, {"name": "when it was judged", "color": BLUE, "dash": "solid"})
    if served is not None:
        _line(figure, served, "error", zone, {"name": "in use", "color": ORANGE, "dash": "solid"})
    figure.update_yaxes(rangemode="tozero")
    return figure


def coverage(judged: pl.DataFrame | None, served: pl.DataFrame | None, zone: str, level: float) -> "go.Figure":
    """Draw the share of truths within their interval, by period, beside what was promised."""
    figure = _figure("held by their interval, %")
    names = {"when it was judged": (judged, BLUE), "in use": (served, ORANGE)}
    frames = {
        name: frame.with_columns(coverage=100 * pl.col("coverage"))
        for name, (frame, _) in names.items()
        if frame is not None
    }
    both = pl.concat(frames.values())
    promised = pl.DataFrame({"start": [both["start"].min(), both["start"].max()], "coverage": [100 * level] * 2})
    style = {"name": f"{100 * level:g} % promised", "color": GREY, "dash": "dot"}
    _line(figure, promised, "coverage", zone, style)
    for name, frame in frames.items():
        _line(figure, frame, "coverage", zone, {"name": name, "color": names[name][1], "dash": "solid"})
    lowest = both["coverage"].min()
    least = min(float(lowest), 100 * level) if isinstance(lowest, float) else 0.0
    figure.update_yaxes(range=[max(0.0, 10 * (least // 10) - 10), 104])
    return figure


def looks(told: Sequence[Mapping[str, Any]], zone: str) -> "go.Figure":
    """Draw how strange the strangest test of each look was, beside from where on it alarms (1)."""
    figure = _figure("strangest test, as a share of what alarms")
    shown = [one for one in reversed(told) if one.get("needed") and one.get("strength") is not None]
    when = [datetime.fromisoformat(one["at"]).astimezone(ZoneInfo(zone)).replace(tzinfo=None) for one in shown]
    figure.add_scatter(
        x=when,
        y=[one["strength"] / one["needed"] for one in shown],
        mode="lines+markers",
        name="look",
        line={"color": BLUE, "width": 2},
        marker={"color": [ORANGE if one["alarms"] else BLUE for one in shown], "size": 8},
        showlegend=False,
    )
    figure.add_hline(y=1, line={"color": GREY, "width": 1.5, "dash": "dash"}, annotation_text="alarms from here on")
    figure.update_yaxes(rangemode="tozero")
    return figure


def _figure(measure: str) -> "go.Figure":
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 8, "r": 8, "t": 40, "b": 8},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        dragmode=False,
        hovermode="x unified",
        yaxis={"title": {"text": measure, "standoff": 16}, "automargin": True},
    )
    return figure


def _line(figure: "go.Figure", frame: pl.DataFrame, column: str, zone: str, style: Mapping[str, str]) -> None:
    when = frame["start"].dt.convert_time_zone(zone).dt.replace_time_zone(None).to_list()
    figure.add_scatter(
        x=when,
        y=frame[column].to_list(),
        name=style["name"],
        mode="lines+markers" if 2 < frame.height < MARKED else "lines",
        line={"color": style["color"], "width": 2, "dash": style["dash"]},
        marker={"size": 5},
        hovertemplate="%{y:.4g}",
    )
