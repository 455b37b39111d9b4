"""View: the data as they were taken in, what is in quarantine and why, and what is strange about the rest."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import streamlit as st

from asof.pages import words
from asof.terminal.data import NAMES, grouped, share
from asof.ui import qualities, sheets
from asof.ui.qualities import Quality, Refusal, Source
from asof.ui.sheets import Cell, Column
from asof.ui.sights import Sight

SEVERITIES = {"error": "bad", "warning": "unsure", "note": "quiet"}
NAMED = 4
"""Columns of a rule that are named."""
ALIKE = 3
"""Findings of one check that are shown at once; the rest folds away."""


@st.cache_resource(max_entries=3, show_spinner="Looking at the data")
def _quality(name: str, stamps: str, _sight: Sight) -> Quality:
    """Look once at each state of the data."""
    del name, stamps
    return qualities.quality(_sight)


def show(sight: Sight) -> None:
    """Show the view."""
    told = _quality(sight.release.name, str(sight.standing.stamps), sight)
    sheets.show(_sources(told.sources))
    if told.asked:
        st.subheader("What is asked")
        asked = [(name[:1].upper() + name[1:], what) for name, what in told.asked]
        sheets.show(sheets.table((Column(""), Column("")), asked))
    st.subheader("In quarantine")
    if told.refusals:
        st.write(
            "Refused whole, with the reason, and used for nothing. After a fix `asof ingest PROJECT --replay` judges "
            "them again."
        )
        sheets.show(_refusals(told.refusals))
    else:
        st.write("No row is in quarantine.")
    st.subheader("Findings")
    _findings(told.findings)
    if told.repairs:
        st.subheader("Repairs")
        columns = (Column("Column"), Column("Rule"), Column("Cells", number=True), Column("Share", number=True))
        rows = [(_few(r["subject"]), r["message"], f"{r['rows']:,}", share(r["figure"])) for r in told.repairs]
        sheets.show(sheets.table(columns, rows))
    for source, profile in told.profiles.items():
        st.subheader(f"Columns of {source}")
        sheets.show(_profile(profile))


def _sources(sources: Sequence[Source]) -> str:
    columns = (
        Column("Source"),
        Column("Rows", number=True),
        Column("Valid", number=True),
        Column("In quarantine", number=True),
        Column("Share", number=True),
    )
    rows: list[list[Cell]] = [
        [
            sheets.lines(one.name, one.covered and f"covers {one.covered}"),
            f"{one.rows:,}",
            f"{one.valid:,}",
            f"{one.quarantined:,}",
            share(one.quarantined / one.rows if one.rows else 0.0),
        ]
        for one in sources
    ]
    return sheets.table(columns, rows)


def _refusals(refusals: Sequence[Refusal]) -> str:
    several = len({one.source for one in refusals}) > 1
    rows: list[list[Cell]] = [
        [
            sheets.lines(f"{one.column}: {one.reason}" if one.column else one.reason, one.source if several else ""),
            f"{one.rows:,}",
            sheets.small(*one.examples),
        ]
        for one in refusals
    ]
    return sheets.table((Column("Reason"), Column("Rows", number=True), Column("Such as")), rows)


def _findings(findings: Sequence[Mapping[str, Any]]) -> None:
    if not findings:
        st.write("Nothing strange was found.")
        return
    columns = (Column("What"), Column("What was found"))
    groups = [[_finding(one) for one in group] for group in grouped(findings).values()]
    shown = [row for group in groups for row in group[:ALIKE]]
    rest = [row for group in groups for row in group[ALIKE:]]
    made = sheets.table(columns, shown, folded=len(shown))
    more = sheets.fold(f"{len(rest):,} more of these checks", sheets.table(columns, rest, folded=len(rest)))
    sheets.show(made, more if rest else "")


def _finding(one: Mapping[str, Any]) -> list[Cell]:
    mark = sheets.chip(SEVERITIES[one["severity"]], one["severity"])
    return [sheets.lines(str(one["subject"]), sheets.beside(mark, one["check"])), _message(one)]


def _few(subject: str) -> str:
    """Name a few of the columns that a rule is about."""
    names = subject.split(", ")
    return subject if len(names) <= NAMED else f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"


def _message(one: Mapping[str, Any]) -> str:
    text = str(one["message"])
    return text[:1].upper() + text[1:]


def _profile(columns: pl.DataFrame) -> str:
    """A line a column: how much is missing, how many values there are, and which."""
    heads = (
        Column("Column"),
        Column("Missing", number=True),
        Column("Different", number=True),
        Column("Values"),
    )
    rows: list[list[Cell]] = [
        [
            sheets.lines(NAMES.get(one["column"], one["column"]), one["type"]),
            share(one["missing"]),
            f"{one['distinct']:,}",
            _values(one),
        ]
        for one in columns.to_dicts()
    ]
    return sheets.table(heads, rows)


def _values(one: Mapping[str, Any]) -> str:
    if one["low"] is None:
        return str(one["top"] or "")
    if one["type"] in {"integer", "number"}:
        low, median, high = (_figure(float(one[name])) for name in ("low", "median", "high"))
        return f"{low} to {high}, half below {median}"
    return f"{one['low']} to {one['high']}"


def _figure(value: float) -> str:
    """Write a figure of the data: as it stands there, without zeros at its end."""
    text = words.number(value)
    return text.rstrip("0").rstrip(".") if "." in text else text
