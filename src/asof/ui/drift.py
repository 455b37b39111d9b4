"""View: what the release answers in use, its error as truth arrives, and what looks at it have found."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from asof.pages import words
from asof.ui import curves, drifts, legends, sheets
from asof.ui.drifts import Errors, Test
from asof.ui.sheets import Cell, Column, Tile
from asof.ui.sights import Sight

FEW = 2
"""From so many looks on they are drawn."""


def show(sight: Sight) -> None:
    """Show the view."""
    found = drifts.errors(sight)
    zone = sight.standing.prepared.panel.zone
    with st.spinner("Reading earlier looks"):
        looks = drifts.looks(sight)
    if found.answers:
        legends.tiles(_summary(found, looks))
    st.subheader("Error over time")
    _errors(found, zone)
    st.subheader("Is it still what was learnt from?")
    if not found.answers:
        st.write(
            "Nothing has been looked at: this release has answered nothing that could be looked at. `asof predict "
            "PROJECT` or `asof serve PROJECT` answer, and what they answer is kept."
        )
        return
    if st.button("Look now", help="Does what `asof watch PROJECT` does; takes some seconds."):
        with st.spinner("Asking the same questions at earlier times"):
            told = drifts.look(sight)
        if not told["served"]:
            st.write(f"{told['why'][:1].upper()}{told['why'][1:]}.")
        looks = drifts.looks(sight)
    if not looks:
        st.write(
            "Nobody has looked yet. `asof watch PROJECT` looks once, and is best run every day after `asof ingest`; "
            "what it finds stands here."
        )
        return
    _look(sight, looks[0])
    if len(looks) >= FEW:
        st.subheader("All looks")
        legends.chart(curves.looks(looks, zone), "looks", "How strange each look was.")
        columns = (Column("When (UTC)"), Column("Answers", number=True), Column("Truth known", number=True), Column(""))
        sheets.show(sheets.table(columns, [_line(one) for one in looks]))


def _summary(found: Errors, looks: list[dict[str, Any]]) -> list[Tile]:
    shown = [("Answers kept", f"{found.answers:,}", "that this release has given")]
    shown.append(("Truth known", f"{found.known:,}", "of these"))
    if looks:
        last = looks[0]
        alarms = len(last["alarms"])
        verdict = "Calm" if not alarms else f"{alarms} {'alarm' if alarms == 1 else 'alarms'}"
        shown.append(("Last look", verdict, str(last["at"])[:16].replace("T", " ") + " UTC"))
    return shown


def _errors(found: Errors, zone: str) -> None:
    if found.judged is None and found.served is None:
        st.write("Its questions have no time, so there is no error over time.")
        return
    drawn = curves.errors(found.judged, found.served, zone, found.measure)
    legends.chart(drawn, "errors", f"Over time: {found.measure}.")
    if found.served is None:
        waiting = f" {found.answers:,} answers wait for theirs." if found.answers else ""
        st.caption(f"No truth of what it has answered in use is known yet.{waiting}")
    if found.level is not None:
        drawn = curves.coverage(found.judged, found.served, zone, found.level)
        legends.chart(drawn, "coverage", "Over time: truths within their interval.")


def _look(sight: Sight, told: Mapping[str, Any]) -> None:
    at = str(told["at"])[:16].replace("T", " ")
    stretch = f", asked {str(told['since'])[:10]} to {str(told['until'])[:10]}" if told.get("since") else ""
    st.write(
        f"Looked at {at} UTC: {told['served']:,} answers{stretch}, of which the truth of {told['known']:,} was known. "
        f"They are held against earlier times of this project; {drifts.rate(told)}."
    )
    for one in told["alarms"]:
        st.error(legends.plain(one["message"][:1].upper() + one["message"][1:]))
    for one in told.get("untold", ()):
        st.info(legends.plain(one[:1].upper() + one[1:]))
    rows = [_row(one) for one in drifts.tests(sight, told)]
    if rows:
        columns = (
            Column("Test"),
            Column("Found", number=True),
            Column("Usual", number=True),
            Column("Alarms beyond", number=True),
            Column(""),
        )
        sheets.show(sheets.table(columns, rows))


def _row(one: Test) -> list[Cell]:
    name = sheets.beside(one.about, sheets.code(one.subject)) if one.subject else one.about
    mark = sheets.chip("bad", "alarm") if one.alarm else sheets.chip("good", "calm")
    return [name, words.brief(one.figure), words.brief(one.usual), words.brief(one.limit), mark]


def _line(one: Mapping[str, Any]) -> list[Cell]:
    mark = sheets.chip("bad", "alarm") if one["alarms"] else sheets.chip("good", "calm")
    why = one["alarms"][0]["message"] if one["alarms"] else ""
    at = str(one["at"])[:16].replace("T", " ")
    return [at, f"{one['served']:,}", f"{one['known']:,}", sheets.lines(mark, why)]
