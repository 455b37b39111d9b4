"""Small parts that the views share: tiles of figures, the scale of a map, and what was clicked on it."""

import html
from collections.abc import Sequence

import streamlit as st

from asof.ui import decks
from asof.ui.colours import Painted

Tile = tuple[str, str, str]
"""A name, a figure, and what it means."""


def tiles(told: Sequence[Tile]) -> None:
    """Show figures beside each other; below each other where the screen is narrow."""
    parts = "".join(
        f"<div class='asof-tile'><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>"
        f"<p>{html.escape(note)}</p></div>"
        for name, value, note in told
    )
    st.html(f"<dl class='asof-tiles'>{parts}</dl>")


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
