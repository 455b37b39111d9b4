"""View: a map of predictions, errors, coverage and what lies outside of what was seen, through time."""

from collections.abc import Callable, Sequence
from datetime import datetime

import polars as pl
import streamlit as st

from asof.pages import words
from asof.releases import Odd
from asof.ui import atlas, colours, decks, drawing, legends, oddities, replies
from asof.ui.atlas import FIGURES, Atlas
from asof.ui.colours import Painted
from asof.ui.sights import Sight

KEPT = 6
MOST_DRAWN = 6_000
"""More places make the page heavy, and nothing could be told apart."""
WHOLE, ONE, NEXT = "All judged", "One at a time", "What comes next"
"""What of time is shown."""
MEANING = {
    "prediction": "What was predicted, on average over what is shown.",
    "label": "What came, on average over what is shown.",
    "error": "Prediction minus what came: orange is too low, violet too high.",
    "held": "How often what came lay within the interval; the interval is made to hold 90 %.",
    "outside": "How often the question lay outside of what the training had seen.",
}


@st.cache_resource(max_entries=KEPT, show_spinner="Reading the answers …")
def _judged(name: str, of: str | None, _sight: Sight) -> Atlas | None:
    del name
    return atlas.judged(_sight, of)


@st.cache_resource(max_entries=KEPT, show_spinner="Answering what comes next …")
def _coming(name: str, stamp: str, of: str | None, _sight: Sight) -> Atlas | None:
    del name, stamp
    return atlas.coming(_sight, of)


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _odd(name: str, stamp: str, _sight: Sight) -> Sequence[Odd]:
    del name, stamp
    return oddities.coming(_sight)


def show(sight: Sight) -> None:
    """Show the view."""
    with st.spinner("Opening the data …"):
        stamp = str(sorted(sight.standing.stamps.items()))
    of = _class(sight)
    kept = _judged(sight.release.name, of, sight)
    coming = _coming(sight.release.name, stamp, of, sight)
    times = [WHOLE, ONE] if kept is not None and kept.periods else [WHOLE] if kept is not None else []
    times += [NEXT] if coming is not None else []
    if not times:
        st.info("No question of this project lies on a map.")
        return
    if kept is None:
        st.caption("This release was made by a version that kept no judged answers; the next `asof run` keeps them.")
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        when = legends.choice("When", times, key="map_when")
        shown = coming if when == NEXT or kept is None else kept
        assert shown is not None  # noqa: S101 - one of them is there, by the list of times
        horizon = _horizon(shown)
    figure = legends.choice("Show", shown.figures, key=f"map_figure_{when}", names=FIGURES)
    period = _period(shown) if when == ONE else None
    frame = atlas.at(shown, horizon=horizon, period=period)
    if frame.is_empty():
        st.info("Nothing was asked about this period at this horizon.")
        return
    legends.tiles(atlas.summary(frame, chances=shown.chances))
    if shown is kept:
        _say_why(frame, lambda: oddities.judged(sight))
    else:
        _say_why(frame, lambda: _odd(sight.release.name, stamp, sight))
    _draw(shown, frame, figure, horizon)


def _class(sight: Sight) -> str | None:
    classes = sight.standing.oracle.classes
    if len(classes) <= 2:
        return None
    return st.selectbox("Probability of", classes, key="map_class")


def _horizon(shown: Atlas) -> str | None:
    if len(shown.horizons) < 2:
        return None
    return st.selectbox(
        "Asked how far ahead",
        shown.horizons,
        format_func=lambda one: f"{one} ahead",
        label_visibility="collapsed",
        key="map_horizon",
        width=140,
    )


def _period(shown: Atlas) -> datetime | None:
    periods = shown.periods
    if len(periods) < 2:
        return periods[0] if periods else None
    return st.select_slider(
        "Period", periods, value=periods[-1], format_func=lambda one: words.day(one, shown.zone), key="map_period"
    )


def _say_why(frame: pl.DataFrame, found: Callable[[], Sequence[Odd]]) -> None:
    """Say by what the questions lie outside of what was seen, where many of them do."""
    if atlas.share_outside(frame) >= oddities.MANY:
        told = oddities.spoken(found())
        if told:
            st.caption(legends.plain(told))


def _draw(shown: Atlas, frame: pl.DataFrame, figure: str, horizon: str | None) -> None:
    names = dict(shown.cases.select("place", "name").unique("place").sort("name", "place").iter_rows())
    key = "map_one"
    if st.session_state.get(key) not in names:
        st.session_state[key] = None
    picked = st.session_state[key]
    if frame.height > MOST_DRAWN:
        st.caption(f"{MOST_DRAWN:,} of {frame.height:,} are drawn, spread evenly; the figures above are of all.")
        frame = frame.gather_every(-(-frame.height // MOST_DRAWN))
    painted = paint(frame, figure, chances=shown.chances)
    st.caption(MEANING[figure])
    st.pydeck_chart(
        decks.deck(frame, shown.outlines, painted.colours, told(frame, chances=shown.chances), picked=picked),
        height=decks.HEIGHT,
        on_select=legends.taking("map_deck", key),
        key="map_deck",
        alt=f"Map of {frame.height:,} places by {FIGURES[figure].lower()}; its figures stand in the table below.",
    )
    legends.scale(painted)
    chosen = st.selectbox(
        "Tell of one",
        list(names),
        format_func=lambda one: names[one],
        placeholder="click on it, or choose it here",
        key=key,
    )
    if chosen is not None:
        _one(shown, chosen, horizon)
    _table(frame, shown)


def paint(frame: pl.DataFrame, figure: str, *, chances: bool = False) -> Painted:
    """Colours of the places of ``atlas.at`` by one figure."""
    values = frame[figure]
    alone = frame["rows"].max() == 1
    if figure == "held":
        if alone:
            return colours.flags(values == 1, good="within the interval", bad="outside the interval", good_is_true=True)
        return colours.shares(values, good_is_high=True)
    if figure == "outside":
        if alone:
            return colours.flags(values == 1, good="as seen in training", bad="outside of it", good_is_true=False)
        return colours.shares(values, good_is_high=False)
    write = _percent if chances else words.compact
    return colours.differences(values, write) if figure == "error" else colours.levels(values, write)


def told(frame: pl.DataFrame, *, chances: bool = False) -> list[str]:
    """What is told of each place of ``atlas.at`` on hover."""
    write = _percent if chances else words.brief
    texts = []
    for row in frame.iter_rows(named=True):
        lines = [str(row["name"]), f"predicted {write(row['prediction'])}"]
        if row["low"] is not None:
            lines[-1] += f" ({replies.between(row['low'], row['high'])})"
        if row["label"] is not None:
            lines += [f"came {write(row['label'])}", f"error {words.signed(row['error'], write)}"]
        if row["rows"] > 1:
            lines.append(f"over {row['rows']:,} questions")
        elif row["outside"]:
            lines.append("outside of what was seen")
        texts.append("\n".join(lines))
    return texts


def _percent(value: float | None) -> str:
    return words.percent(value, 0)


def _table(frame: pl.DataFrame, shown: Atlas) -> None:
    with st.expander("The same as a table"):
        columns = ["name", *shown.figures, "rows"]
        st.dataframe(
            frame.select(columns).rename({**FIGURES, "name": "Place", "rows": "Questions"}, strict=False),
            hide_index=True,
            key="map_table",
        )


def _one(shown: Atlas, place: str, horizon: str | None) -> None:
    """What is known of the place that was clicked."""
    asked = atlas.of_place(shown, place, horizon or (shown.horizons[0] if shown.horizons else None))
    if asked.is_empty():
        return
    st.subheader(legends.plain(asked["name"][0]), anchor=False)
    if asked["start"].n_unique() > 1:
        legends.chart(drawing.through_time(asked, shown.zone), "map_place")
    else:
        st.text(told(atlas.at(shown).filter(pl.col("place") == place), chances=shown.chances)[0])
