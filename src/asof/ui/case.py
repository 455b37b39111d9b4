"""View: one case, asked through a form or a click on the map, with its interval and its reasons."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl
import streamlit as st

from asof.errors import AsofError
from asof.ui import atlas, colours, decks, drawing, forms, legends, oddities, replies
from asof.ui.atlas import Atlas
from asof.ui.forms import Field
from asof.ui.sights import Sight

NEAREST = "as near as can be"
DECK, PLACE, UNIT = "case_deck", "case_place", "case_unit"
FIRST, LAST = date(1, 1, 2), date(9999, 12, 30)
"""All days there are: without bounds only those of ten years around today can be entered."""


def show(sight: Sight) -> None:
    """Show the view."""
    with st.spinner("Opening the data …"):
        prepared = sight.standing.prepared
    asked, told = st.columns([1, 1] if prepared.panel.rows else [2, 3], gap="large")
    with asked:
        rows = _row(sight) if prepared.panel.rows else _period(sight)
    with told:
        _reply(sight, rows)
    _map(sight)


def _reply(sight: Sight, rows: pl.DataFrame) -> None:
    """Show the answer to one row, and why."""
    classes = sight.standing.oracle.classes
    label = None
    if len(classes) > 2:
        label = st.selectbox("Reasons for the probability of", classes, key="case_class")
    try:
        with st.spinner("Answering …"):
            reply = replies.ask(sight, rows, label)
    except AsofError as fault:
        st.error(legends.plain(str(fault)))
        return
    if reply.refused:
        st.warning(legends.plain(f"No answer: {reply.refused}."))
        return
    legends.tiles(replies.tiles(sight, reply))
    if reply.answer["outside"]:
        st.caption(legends.plain(oddities.spoken(oddities.of_rows(sight, rows))))
    if reply.chances:
        legends.chart(drawing.chances(reply.chances, reply.answer["prediction"]), "case_chances")
    st.subheader("Why", anchor=False)
    st.caption(legends.plain(replies.spoken(reply, label)))
    scale, unit = (100.0, "percentage points") if reply.chances else (1.0, replies.noun(sight))
    bars = [{**one, "reason": scale * one["reason"]} for one in reply.reasons]
    legends.chart(drawing.reasons(bars, unit), "case_reasons")
    st.caption(legends.plain(f"Answered by {sight.release.name}."))


def _period(sight: Sight) -> pl.DataFrame:
    """The form of a place and a period."""
    prepared = sight.standing.prepared
    panel = prepared.panel
    told = forms.of_periods(prepared)
    names = dict(atlas.names(prepared).iter_rows())
    place, horizon = None, None
    with st.form("case_period"):
        if panel.places.kind != "all":
            ids = list(names)
            if st.session_state.get(PLACE) not in names:
                st.session_state[PLACE] = replies.busiest(sight, ids)
            place = st.selectbox(
                "Place",
                ids,
                format_func=lambda one: names[one] if one in names[one] else f"{names[one]} ({one})",
                key=PLACE,
            )
        start = legends.period(told, "case")
        if len(panel.horizons) > 1:
            ahead = [NEAREST, *map(str, panel.horizons)]
            horizon = st.selectbox("Asked how far ahead", ahead, key="case_horizon")
        st.form_submit_button("Answer", type="primary")
    return forms.period(prepared, place, start, None if horizon == NEAREST else horizon)


def _row(sight: Sight) -> pl.DataFrame:
    """The form of a row: a field for each column that the release goes by."""
    fields = forms.of_rows(sight)
    source = sight.standing.prepared.panel.source
    key = " and ".join(sight.workspace.spec.sources[source].key)
    begun = ""
    if key:
        label = f"Begin with a row of {source}, by its {key}"
        begun = st.text_input(label, key=UNIT, placeholder="the usual row")
    unit = begun.strip()
    known = forms.of_row(sight, unit) if unit else {}
    if unit and not known:
        st.warning(legends.plain(f"No row of {source} has the {key} {unit!r}; the usual row stands here."))
    given: dict[str, Any] = {}
    with st.form("case_row"):
        st.form_submit_button("Answer", type="primary")
        if fields.time:
            day = st.date_input(
                f"{legends.plain(fields.time)}: as of which day",
                value=None,
                key="case_time",
                min_value=FIRST,
                max_value=LAST,
            )
            given[fields.time] = day.isoformat() if isinstance(day, date) else None
        used = [field for field in fields.columns if field.used]
        rest = [field for field in fields.columns if not field.used]
        given |= _fields(used, known, unit)
        if rest:
            with st.expander(f"{len(rest)} more columns, which no feature is made of directly"):
                given |= _fields(rest, known, unit)
    return forms.texts({name: value for name, value in given.items() if name != fields.time or value})


def _fields(fields: list[Field], known: Mapping[str, Any], unit: str) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for at in range(0, len(fields), 2):  # row by row: the order of the table, also on a phone and by the keyboard
        sides = st.columns(2, gap="small")
        pair = zip(fields[at : at + 2], sides, strict=False)  # the last row may have one field alone
        given |= {field.name: _field(field, known, unit, side) for field, side in pair}
    return given


def _field(field: Field, known: Mapping[str, Any], unit: str, where: Any) -> Any:
    """One field, beginning with the value of a known row or the usual one; an empty one is unknown."""
    value = known.get(field.name) if known else field.usual
    told = {"label": legends.plain(field.name), "help": legends.plain(field.hint), "key": f"case_{unit}_{field.name}"}
    if field.kind == "choice":
        at = field.options.index(str(value)) if str(value) in field.options else None
        return where.selectbox(options=field.options, index=at, placeholder="unknown", **told)
    if field.kind == "whole":
        return where.number_input(value=None if value is None else int(value), step=1, placeholder="unknown", **told)
    if field.kind == "number":
        return where.number_input(
            value=None if value is None else float(value), format="%g", placeholder="unknown", **told
        )
    if field.kind == "day":
        chosen = where.date_input(value=value, min_value=FIRST, max_value=LAST, **told)
        return chosen.isoformat() if isinstance(chosen, date) else None
    return where.text_input(value="" if value is None else str(value), placeholder="unknown", **told)


@st.cache_resource(max_entries=4, show_spinner=False)
def _known(name: str, stamp: str, _sight: Sight) -> Atlas | None:
    del name, stamp
    return atlas.known(_sight)


def _map(sight: Sight) -> None:
    """Show what can be clicked on to ask about it."""
    shown = _known(sight.release.name, str(sorted(sight.standing.stamps.items())), sight)
    if shown is None:
        return
    frame = atlas.at(shown)
    rows = bool(sight.standing.prepared.panel.rows)
    field = UNIT if rows else PLACE
    what = "row, to begin with what it holds" if rows else "place, to ask about it"
    st.caption(f"Or click on a {what}.")
    st.pydeck_chart(
        decks.deck(
            frame,
            shown.outlines,
            [colours.RISING[2]] * frame.height,
            frame["name"].to_list(),
            picked=st.session_state.get(field),
        ),
        height=decks.HEIGHT,
        on_select=legends.taking(DECK, field),
        key=DECK,
        alt=f"Map of {frame.height:,} places to click on; the form above offers the same.",
    )
