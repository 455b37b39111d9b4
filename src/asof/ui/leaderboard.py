"""View: who was tried, by how much the chosen one won, and which release was champion when."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import streamlit as st

from asof.flows import history
from asof.pages import boards as ranks
from asof.pages import words
from asof.pages.facts import Figure
from asof.ui import boards, legends, sheets
from asof.ui.boards import Board, Candidate, Reign
from asof.ui.sheets import Cell, Column
from asof.ui.sights import Sight


def show(sight: Sight) -> None:
    """Show the view."""
    told = boards.board(sight)
    legends.tiles(boards.summary(sight))
    st.subheader("Who was tried")
    st.write(_judged(sight, told))
    sheets.show(_candidates(told))
    gain = ranks.gain(told.offer)
    if gain:
        st.write(gain)
    if told.left_out:
        rows = [(one.name, one.why) for one in told.left_out]
        inside = sheets.table((Column("Recipe"), Column("Why it is no candidate")), rows)
        many = "1 recipe is no candidate" if len(rows) == 1 else f"{len(rows):,} recipes are no candidates"
        sheets.show(sheets.fold(many, inside))
    with st.spinner("Reading the decisions"):
        decided = boards.decision(sight)
    if decided is not None:
        st.subheader("The decision about this release")
        st.write(legends.plain(f"{'Promoted' if decided['promoted'] else 'Not promoted'}: {decided['why']}."))
        sheets.show(_rules(decided))
    st.subheader("Which release answered when")
    _history(sight)


def _judged(sight: Sight, told: Board) -> str:
    unit = f"the unit of {sight.workspace.spec.predict.column or sight.workspace.spec.predict.source}"
    better = "More is better" if told.greater_is_better else "Less is better"
    judged = f"{words.title(told.metric)}, the mean over the same {told.folds} folds for all. {better}."
    return f"{judged} {words.meaning(told.metric, unit)}"


def _candidates(told: Board) -> str:
    timed = any(seconds is not None for one in told.candidates for seconds in one.seconds)
    columns = [Column("Candidate"), Column("Mean", number=True), Column("Against the chosen one")]
    columns += [Column("Fit, s", number=True), Column("Predict, s", number=True)] if timed else []
    rows = [_row(one, timed=timed) for one in told.candidates]
    chosen = next((at for at, one in enumerate(told.candidates) if one.chosen), None)
    return sheets.table(columns, rows, chosen=chosen)


def _row(one: Candidate, *, timed: bool) -> list[Cell]:
    name = one.name[:1].upper() + one.name[1:]
    marks = [sheets.chip("good", "chosen")] if one.chosen else []
    marks += [sheets.chip("quiet", one.kind)] if one.kind == "simple rule" else []
    seconds = [ranks.seconds(each) for each in one.seconds] if timed else []
    return [sheets.lines(sheets.beside(name, *marks), one.members), words.number(one.score), one.behind, *seconds]


def _rules(decided: Mapping[str, Any]) -> str:
    """The rules that a release must keep, and how it does against the champion on questions neither has seen."""
    rows = [_rule(one) for one in decided.get("rules", ())]
    made = sheets.table((Column("Rule"), Column("What was found"), Column("")), rows)
    compared = decided.get("comparison")
    if not compared:
        return made if rows else ""
    gain = compared["gain"]
    within = words.within(Figure(gain["value"], gain["low"], gain["high"]), words.brief)
    said = [("Champion", words.number(compared["champion"]), words.title(compared["metric"]))]
    said.append(("This one", words.number(compared["challenger"]), f"{compared['rows']:,} questions neither has seen"))
    said.append(("Gain", words.brief(gain["value"]), within))
    columns = (Column("Compared"), Column("Score", number=True), Column(""))
    return (made if rows else "") + sheets.table(columns, said)


def _rule(one: Mapping[str, Any]) -> list[Cell]:
    """A rule of the project as its decision tells it; one of an earlier version told figure and limit alone."""
    name = words.title(one["rule"])
    figures = f"{words.number(one['figure'])}, limit {words.number(one['limit'])}" if one["figure"] is not None else ""
    found = one.get("message", figures)
    mark = sheets.chip("good", "kept") if one["kept"] else sheets.chip("bad", "not kept")
    return [name[:1].upper() + name[1:], found[:1].upper() + found[1:], mark]


def _history(sight: Sight) -> None:
    reigns = boards.champions(sight)
    if reigns:
        columns = (Column("Champion"), Column("From"), Column("Until"), Column("Why"))
        chosen = next((at for at, one in enumerate(reigns) if one.release == sight.release.name), None)
        sheets.show(sheets.table(columns, [_reign(one) for one in reigns], chosen=chosen))
    else:
        st.write("No release of this project has been champion yet.")
    rows = [_decision(one) for one in boards.decisions(sight).to_dicts()]
    if rows:
        st.subheader("Every decision")
        sheets.show(sheets.table((Column("When (UTC)"), Column("What"), Column("Why")), rows))


def _reign(one: Reign) -> list[Cell]:
    until = _minute(one.until) if one.until is not None else sheets.chip("good", "now")
    version = f"Version {one.version}" if one.version is not None else "A release that is gone"
    return [sheets.lines(version, one.release), _minute(one.since), until, one.why]


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


NAMES = {"holdout": "Holdout opened", "promotion": "Decided", "rollback": "Rolled back", "retrain": "Retraining"}
NAMES[history.WATCH] = "Alarm"
"""What decisions are called."""


def _decision(one: Mapping[str, Any]) -> list[Cell]:
    about = f"version {one['version']}" if one["version"] is not None else ""
    name = NAMES.get(one["kind"], one["kind"])
    return [str(one["at"]).replace("T", " "), sheets.lines(name, about), one["what"]]
