"""Small parts that the views share: tiles of figures, the scale of a map, and what was clicked on it."""

import html
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from asof.ui import decks, drawing
from asof.ui.colours import Painted
from asof.ui.forms import Periods
from asof.ui.sheets import Tile

if TYPE_CHECKING:
    import plotly.graph_objects as go


def plain(text: str) -> str:
    """Return text of the data for where Markdown is read: it stays as it is, and no picture in it is fetched."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!$:~<>|&])", r"\\\1", text)


def tiles(told: Sequence[Tile]) -> None:
    """Show figures beside each other; below each other where the screen is narrow."""
    parts = "".join(
        f"<div class='asof-tile' role='listitem'><small>{html.escape(name)}</small>"
        f"<strong>{html.escape(value)}</strong><small>{html.escape(note)}</small></div>"
        for name, value, note in told
    )
    st.html(f"<div class='asof-tiles' role='list'>{parts}</div>")


def choice(label: str, options: Sequence[str], *, key: str, names: Mapping[str, str] | None = None) -> str:
    """Let the reader choose one of a few, side by side; the first to begin with."""
    chosen = st.segmented_control(
        label,
        options,
        default=options[0],
        required=True,
        format_func=lambda one: names[one] if names else one,
        label_visibility="collapsed",
        wrap=True,
        key=key,
    )
    return chosen or options[0]


def period(told: Periods, name: str) -> str:
    """Let the reader choose a period; returns its start as written on the clock of the place."""
    first, last = told.earliest.date(), told.latest.date()
    day = st.date_input("Day", value=last, min_value=first, max_value=last, key=f"{name}_day")
    if not told.hours:
        return day.isoformat()
    latest = f"{told.latest:%H:%M}"
    at = told.hours.index(latest) if latest in told.hours else 0
    hour = st.selectbox("Begins at", told.hours, index=at, key=f"{name}_hour")
    return f"{day.isoformat()}T{hour}"


def chart(figure: "go.Figure", key: str, alt: str | None = None) -> None:
    """Show a chart, its words in a colour that can be read on a bright screen and on a dark one."""
    ink = "#cfd5da" if st.context.theme.type == "dark" else "#454d54"
    figure.update_layout(font={"color": ink}, legend={"font": {"color": ink}})
    figure.update_xaxes(tickfont={"color": ink}, title_font={"color": ink})
    figure.update_yaxes(tickfont={"color": ink}, title_font={"color": ink})
    st.plotly_chart(figure, config=drawing.CONFIG, key=key, alt=alt)


def scale(painted: Painted) -> None:
    """Show what the colours of a map mean."""
    parts = "".join(
        f"<li><i style='background:{colour}'></i>{html.escape(meaning)}</li>" for colour, meaning in painted.legend
    )
    st.html(f"<ul class='asof-scale'>{parts}</ul>")


def picked(key: str) -> str | None:
    """Return the place that was clicked on the map with this key; none where nothing was."""
    state = st.session_state.get(key)
    chosen = (state or {}).get("selection", {}).get("objects", {}).get(decks.LAYER, [])
    if not chosen:
        return None
    one = chosen[0]
    told = one.get("properties", one)
    return str(told["place"]) if "place" in told else None


def taking(key: str, field: str) -> Callable[[], None]:
    """Return what puts the place that is clicked on the map ``key`` into a field of the page."""

    def take() -> None:
        place = picked(key)
        if place is not None:
            st.session_state[field] = place

    return take
