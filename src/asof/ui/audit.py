"""View: the audit in plain words."""

import streamlit as st

from asof.ui import audits, sheets
from asof.ui.audits import Check, Found
from asof.ui.sheets import Cell, Column
from asof.ui.sights import Sight

OUTCOMES = {"passed": "good", "failed": "bad", "could not tell": "unsure", "not applicable": "quiet"}
SEVERITIES = {"error": "bad", "warning": "unsure", "note": "quiet"}
SHOWN = 4
"""Findings of a check that are shown at once; the rest folds away."""


def show(sight: Sight) -> None:
    """Show the view."""
    told = audits.audit(sight)
    st.write(
        f"{audits.headline(told.checks)} Each check was carried out on this model, by changing what it may not lean on "
        "and seeing whether anything moves."
    )
    columns = (Column("Check"), Column("Answer"), Column("What was tried"))
    sheets.show(sheets.table(columns, [_row(one) for one in told.checks]))
    if not told.whole:
        st.caption("This release was made by an earlier version, which kept the names of the checks alone.")
    if told.accepted:
        st.subheader("Accepted by the owner")
        rows = [(name, reason) for name, reason in told.accepted.items()]
        sheets.show(sheets.table((Column("What"), Column("Why")), rows))
    left_out = sight.workspace.spec.leave_out
    if left_out:
        st.subheader("Columns left out")
        rows = [(name, reason) for name, reason in left_out.items()]
        sheets.show(sheets.table((Column("Column"), Column("Why")), rows))
    st.caption("`asof audit PROJECT --full` tries more, on the data as they are now.")


def _row(one: Check) -> list[Cell]:
    found = [_found(each) for each in one.found]
    shown, rest = found[:SHOWN], found[SHOWN:]
    folded = [sheets.Markup(sheets.fold(f"{len(rest):,} more", sheets.small(*rest).html))] if rest else []
    name = one.name[:1].upper() + one.name[1:]
    covered = (one.covered[:1].upper() + one.covered[1:]).replace("`", "")
    return [sheets.lines(name, one.asks, *shown, *folded), sheets.chip(OUTCOMES[one.outcome], one.outcome), covered]


def _found(one: Found) -> sheets.Markup:
    mark = sheets.chip("quiet", "accepted") if one.accepted else sheets.chip(SEVERITIES[one.severity], one.severity)
    reason = f" Accepted: {one.accepted}." if one.accepted else ""
    return sheets.beside(mark, f"{one.subject}: {one.message}{reason}")
