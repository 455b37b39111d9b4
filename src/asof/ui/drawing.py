"""Charts of the page (Plotly), in the colours of the HTML report; nothing is fetched to draw them."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    import plotly.graph_objects as go

CONFIG: dict[str, Any] = {"displayModeBar": False, "scrollZoom": False}
BLUE, ORANGE, GREY = "#22638f", "#c2611f", "#8d979f"
BAND = "rgba(34, 99, 143, 0.16)"
ROW = 34
"""Pixels of a bar with its space."""
ROOM = 0.09
"""Share of the length of bars that a character of a figure beside them takes: enough on a phone."""


def through_time(asked: pl.DataFrame, zone: str) -> "go.Figure":
    """Draw the prediction with its interval and what came, by period: ``start``, ``prediction``, ``low``, ``label``."""
    import plotly.graph_objects as go

    when = asked["start"].dt.convert_time_zone(zone).dt.replace_time_zone(None).to_list()
    figure = go.Figure()
    if asked["low"].null_count() < asked.height:
        for name, fill in (("high", None), ("low", "tonexty")):
            line = {"width": 0}
            figure.add_scatter(
                x=when,
                y=asked[name].to_list(),
                line=line,
                fill=fill,
                fillcolor=BAND,
                mode="lines",
                name="interval",
                showlegend=name == "low",
                hoverinfo="skip",
            )
    figure.add_scatter(
        x=when,
        y=asked["prediction"].to_list(),
        name="predicted",
        mode="lines+markers",
        line={"color": BLUE, "width": 2},
    )
    if asked["label"].null_count() < asked.height:
        marker = {"color": ORANGE, "size": 7}
        figure.add_scatter(x=when, y=asked["label"].to_list(), name="came", mode="markers", marker=marker)
    figure.update_layout(**_layout(300), yaxis={"rangemode": "tozero"}, hovermode="x unified")
    return figure


def reasons(told: Sequence[Mapping[str, Any]], unit: str) -> "go.Figure":
    """Draw reasons as bars: what adds to the usual prediction in blue, what takes off it in orange."""
    import plotly.graph_objects as go

    names = [str(one["feature"]) for one in told]
    values = [float(one["reason"]) for one in told]
    figures = _alike(values)
    figure = go.Figure()
    figure.add_bar(
        x=values,
        y=names,
        orientation="h",
        marker={"color": [BLUE if value > 0 else ORANGE for value in values]},
        text=figures,
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{x:+,.4g}<extra></extra>",
    )
    layout = _layout(90 + ROW * len(names))
    low, high = min([0.0, *values]), max([0.0, *values])
    room = ROOM * max(map(len, figures), default=0) * (high - low or 1.0)
    across = {"title": unit, "range": [low - room * (low < 0), high + room]}
    figure.update_layout(**layout, yaxis={"autorange": "reversed", "automargin": True}, xaxis=across)
    figure.add_vline(x=0, line={"color": GREY, "width": 1})
    return figure


def _alike(values: Sequence[float]) -> list[str]:
    """Write signed figures that add up: all with as many decimals as the largest one needs for three figures."""
    largest = max((abs(value) for value in values), default=0.0)
    decimals = max(0, 2 - math.floor(math.log10(largest))) if largest else 0
    return [f"{value:+,.{decimals}f}".replace("-", "−") for value in values]


def chances(told: Mapping[str, float], decided: str) -> "go.Figure":
    """Draw the probability of every class, the one decided on in blue."""
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.add_bar(
        x=[100 * value for value in told.values()],
        y=list(told),
        orientation="h",
        marker={"color": [BLUE if name == decided else GREY for name in told]},
        text=[f"{100 * value:.0f} %" for value in told.values()],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{x:.1f} %<extra></extra>",
    )
    layout = _layout(80 + ROW * len(told))
    figure.update_layout(**layout, xaxis={"range": [0, 108], "title": "probability, %"}, yaxis={"automargin": True})
    figure.update_yaxes(type="category", autorange="reversed")
    return figure


def _layout(height: int) -> dict[str, Any]:
    return {
        "height": height,
        "margin": {"l": 8, "r": 16, "t": 12, "b": 8},
        "legend": {"orientation": "h", "y": 1.12, "x": 0},
        "dragmode": False,
    }
