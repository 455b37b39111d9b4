"""View: a file of rows answered and taken away again, and what still waits for its truth."""

from collections.abc import Mapping
from typing import Any

import polars as pl
import streamlit as st

from asof.ui import legends, sheets, tables
from asof.ui.sheets import Column
from asof.ui.sights import Sight
from asof.ui.tables import Answered

AHEAD = "horizon"
"""Without this column a row is answered at the nearest horizon that can be known."""
ROW = 35
"""Pixels of a row of the table."""
KEPT = 600.0
"""Seconds for which the answers to a file are held."""
MOST = 14
"""Rows that are seen without scrolling."""


def show(sight: Sight) -> None:
    """Show the view."""
    upload, waits = st.tabs(["Answer a file", "Without a truth yet"])
    with upload:
        _upload(sight)
    with waits:
        _waiting(sight)


def _upload(sight: Sight) -> None:
    st.write(
        "Each row gets its answer beside it, in the order of the file; a row that cannot be answered says why. The "
        "file stays on this machine, and its answers are forgotten after ten minutes."
    )
    given = st.file_uploader(
        f"Rows to answer: CSV or Parquet, at most {tables.MOST_MEGABYTES} MB",
        type=[kind.removeprefix(".") for kind in tables.KINDS],
        max_upload_size=tables.MOST_MEGABYTES,
    )
    if given is None:
        _example(sight)
        return
    with st.spinner("Answering"):
        told = _answered(sight.release.name, str(sight.standing.stamps), given.name, given.getvalue(), sight)
    _told(sight, told, given.name.split(".")[0])


@st.cache_resource(max_entries=3, ttl=KEPT, show_spinner=False)
def _answered(name: str, stamps: str, file: str, content: bytes, _sight: Sight) -> Answered:
    del name, stamps
    return tables.answer(_sight, file, content)


def _example(sight: Sight) -> None:
    rows = tables.example(sight)
    needed = ", ".join(name for name in rows.columns if name != AHEAD)
    perhaps = f", and perhaps {AHEAD}" if AHEAD in rows.columns else ""
    st.caption(legends.plain(f"It needs these columns: {needed}{perhaps}. A file to begin with:"))
    st.dataframe(rows, hide_index=True, height="content")
    st.download_button("Take this file", rows.write_csv(), "rows.csv", "text/csv", on_click="ignore")


def _waiting(sight: Sight) -> None:
    rows = sight.standing.prepared.panel.rows
    told = _waits(sight.release.name, str(sight.standing.stamps), sight)
    if told is None:
        st.write("No row waits: the outcome of each is known.")
        return
    what = "rows whose outcome is not known" if rows else "questions about the periods that come next"
    st.write(f"{told.frame.height:,} {what}, answered with what is known now.")
    _told(sight, told, "waiting")


@st.cache_resource(max_entries=3, show_spinner="Answering")
def _waits(name: str, stamps: str, _sight: Sight) -> Answered | None:
    del name, stamps
    return tables.waiting(_sight)


def _told(sight: Sight, told: Answered, name: str) -> None:
    """The answers, what is to be known of them, and the files to take away."""
    counts = told.counts
    said = f"{counts['answered']:,} of {told.frame.height:,} rows are answered."
    if counts["learnt"]:
        said += f" Of {counts['learnt']:,} the outcome was learnt, so these are no forecasts."
    outside = int(told.frame["outside"].sum())
    if outside:
        said += f" {outside:,} lie outside what was seen: little stands behind their answers."
    st.write(said)
    if counts["reasons"]:
        rows = [(one["reason"], f"{one['rows']:,}") for one in counts["reasons"]]
        sheets.show(sheets.table((Column("Why there is no answer"), Column("Rows", number=True)), rows))
    frame = tables.shown(sight, told)
    height = ROW * (min(frame.height, MOST) + 1) + 3
    st.dataframe(frame, hide_index=True, height=height, column_config=_formats(frame), key=f"answers-{name}")
    left, right, _ = st.columns([1, 1, 3])
    files = {"csv": ("CSV", "text/csv", left), "parquet": ("Parquet", "application/vnd.apache.parquet", right)}
    for kind, (title, mime, where) in files.items():
        where.download_button(
            f"Take as {title}",
            tables.download(told, kind),
            f"{name}_answered.{kind}",
            mime,
            on_click="ignore",
            key=f"{kind}-{name}",
            width="stretch",
        )


def _formats(frame: pl.DataFrame) -> Mapping[str, Any]:
    """Formats of the figures of answers: as many digits as tell them apart."""
    found: dict[str, Any] = {}
    for name, kind in frame.schema.items():
        if not kind.is_float():
            continue
        share = name == "Probability" or name.startswith("P(")
        largest = frame[name].abs().max()
        size = float(largest) if isinstance(largest, float) else 0.0
        digits = 3 if size < 10 else 1 if size < 1000 else 0
        found[name] = st.column_config.NumberColumn(format="percent" if share else f"%.{digits}f")
    return found
