"""View: a line between two points or addresses, the places along it, and those above a cutoff."""

import math
from collections.abc import Mapping
from typing import Any

import polars as pl
import streamlit as st

from asof import verbs
from asof.errors import AsofError
from asof.flows import travelling
from asof.flows.travelling import Guides, Trip
from asof.pages import words
from asof.places.lines import Point
from asof.ui import atlas, colours, decks, forms, legends, replies
from asof.ui.atlas import Atlas
from asof.ui.sights import Sight

DECK = "line_deck"
ENDS = ("start", "end")
HIGH = 0.75
"""The cutoff to begin with lies above this share of the next predictions."""


@st.cache_resource(show_spinner=False)
def _guides(name: str, _sight: Sight) -> Guides:
    del name
    return verbs.guides(_sight.workspace)


@st.cache_resource(max_entries=4, show_spinner=False)
def _known(name: str, stamp: str, _sight: Sight) -> Atlas | None:
    del name, stamp
    return atlas.known(_sight)


def show(sight: Sight) -> None:
    """Show the view."""
    with st.spinner("Opening the data …"):
        standing = sight.standing
    known = _known(sight.release.name, str(sorted(standing.stamps.items())), sight)
    if not sight.outlined or known is None:
        st.info("The places of this project have no outlines, so no line crosses them.")
        return
    guides = _guides(sight.release.name, sight)
    _take_click(known)
    asked, told = st.columns([2, 3], gap="large")
    with asked:
        trip = _asked(sight, known, guides)
    try:
        with told, st.spinner("Answering …"):
            answer = travelling.travel(sight.workspace, standing, guides, trip)
    except AsofError as fault:
        told.error(legends.plain(str(fault)))
        answer = None
    with told:
        if answer is not None:
            _tell(sight, answer)
        _map(known, answer)
    if answer is not None:
        names = dict(atlas.names(standing.prepared).iter_rows())
        st.dataframe(table(answer, names), hide_index=True, key="line_table", column_config=_columns())


def _asked(sight: Sight, known: Atlas, guides: Guides) -> Trip:
    """The form: two points or addresses, a cutoff and a day."""
    by_address = False
    if guides.geocoder is not None:
        by_address = legends.choice("From where to where", ["Points", "Addresses"], key="line_by") == "Addresses"
    begin = atlas.ends(known)
    with st.form("line"):
        if by_address:
            pair = [st.text_input(f"Address of the {name}", key=f"line_address_{name}") for name in ENDS]
            way: dict[str, Any] = {"addresses": (pair[0], pair[1])}
        else:
            way = {"points": (_point(ENDS[0], begin[0]), _point(ENDS[1], begin[1]))}
        cutoff = st.number_input(
            f"Cutoff: {replies.noun(sight)} of at least", value=usual_cutoff(sight), format="%g", key="line_cutoff"
        )
        told = forms.of_periods(sight.standing.prepared)
        start = legends.period(told, "line")
        st.form_submit_button("Show the places along it", type="primary")
    return Trip(**way, cutoff=float(cutoff), time=start)


def _point(name: str, begun: Point) -> Point:
    """Latitude and longitude of one end; a click on the map replaces them."""
    at, beside = st.columns(2)
    clicked = st.session_state.get(f"line_clicked_{name}") or begun
    key = f"line_{name}_{clicked[0]:.5f}_{clicked[1]:.5f}"
    lat = at.number_input(
        f"Latitude of the {name}", -90.0, 90.0, clicked[0], format="%.5f", step=0.001, key=f"{key}_lat"
    )
    lon = beside.number_input(
        f"Longitude of the {name}", -180.0, 180.0, clicked[1], format="%.5f", step=0.001, key=f"{key}_lon"
    )
    return lat, lon


def usual_cutoff(sight: Sight) -> float:
    """Return a cutoff to begin with: a quarter of the next predictions lie above it."""
    ready = sight.standing.ready
    high = ready["prediction"].drop_nulls().quantile(HIGH) if ready is not None and ready.height else None
    if not high or high < 0:
        return 0.0
    digits = 1 - math.floor(math.log10(high))  # two figures
    return float(math.floor(high * 10.0**digits) / 10.0**digits)


def _take_click(known: Atlas) -> None:
    """Make the place that was clicked the end that the reader named."""
    picked = legends.picked(DECK)
    if picked is None or picked == st.session_state.get("line_taken"):
        return
    st.session_state["line_taken"] = picked
    found = known.cases.filter(pl.col("place") == picked)
    if not found.is_empty():
        end = st.session_state.get("line_end") or ENDS[0]
        st.session_state[f"line_clicked_{end}"] = (float(found["lat"][0]), float(found["lon"][0]))


def _tell(sight: Sight, answer: dict[str, Any]) -> None:
    """Show the places along the line."""
    zone = sight.standing.prepared.panel.zone
    passed, above = answer["places"], set(answer["above"])
    length = words.brief(sum(row["km"] for row in passed))
    legends.tiles(
        [
            ("Places along it", f"{len(passed):,}", f"over {length} km within places"),
            (f"At least {answer['cutoff']:g}", f"{len(above):,}", "as the cutoff says"),
            ("Period", words.day(answer["start"], zone), f"as of {words.day(answer['as_of'], zone)}"),
        ]
    )
    st.caption(f"{answer['how'][:1].upper()}{answer['how'][1:]}.")


def table(answer: Mapping[str, Any], names: Mapping[str, str]) -> pl.DataFrame:
    """Places along a line, in the order in which it enters them, by their names on the map."""
    schema = {
        "Place": pl.String,
        "After km": pl.Float64,
        "Prediction": pl.Float64,
        "Interval": pl.String,
        "At or above the cutoff": pl.Boolean,
        "Outside what was seen": pl.Boolean,
    }
    rows = [
        (
            names.get(row["place"], row["name"]),
            row["at_km"],
            row["prediction"],
            replies.between(row["low"], row["high"]),
            row["above"],
            row["outside"],
        )
        for row in answer["places"]
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _columns() -> dict[str, Any]:
    written = {"After km": "%.1f", "Prediction": "%.2f"}
    return {name: st.column_config.NumberColumn(format=form) for name, form in written.items()}


def _map(known: Atlas, answer: dict[str, Any] | None) -> None:
    frame = atlas.at(known)
    rows = {row["place"]: row for row in answer["places"]} if answer is not None else {}
    names = {name: f"A click sets the {name}" for name in ENDS}
    legends.choice("What a click on the map sets", list(ENDS), key="line_end", names=names)
    shades, told = [], []
    for place, name in frame.select("place", "name").iter_rows():
        row = rows.get(place)
        shades.append("#eceae6" if row is None else colours.BAD if row["above"] else colours.RISING[3])
        told.append(name if row is None else f"{name}\npredicted {words.brief(row['prediction'])}")
    line = [(lat, lon) for lon, lat in answer["line"]["coordinates"]] if answer is not None else []
    st.pydeck_chart(
        decks.deck(frame, known.outlines, shades, told, line=line),
        height=decks.HEIGHT,
        on_select="rerun",
        key=DECK,
        alt=f"Map of the line and the {len(rows):,} places along it; the table tells the same.",
    )
    legends.scale(colours.Painted([], ((colours.BAD, "at or above the cutoff"), (colours.RISING[3], "below it"))))
