"""The shell of the page: which project, which release, and the list of views. Streamlit runs this file."""

import functools
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from asof.errors import AsofError
from asof.flows.workspace import Workspace
from asof.ui import legends, sights
from asof.ui.sights import Choice, Opening, Sight

FRESH = 10.0
"""Seconds after which releases and data are looked at anew."""
KEPT = 3
"""Releases that are held open at once."""
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="#22638f"/>'
    '<path d="M8 4v4l3 2" fill="none" stroke="#fff" stroke-width="1.6" stroke-linecap="round"/></svg>'
)
"""The icon of the tab: a name of one would be fetched from outside."""
STYLE = """
<style>
html, body { font-variant-numeric: tabular-nums; }
.block-container, [data-testid="stMainBlockContainer"] { max-width: 72rem; padding-top: 3.2rem; }
h1 { font-size: 1.7rem !important; letter-spacing: -.015em; padding-bottom: .7rem !important; }
h2 { font-size: 1.25rem !important; } h3 { font-size: 1.05rem !important; }
[data-testid="stMetricValue"] { font-size: 1.6rem; font-weight: 650; letter-spacing: -.02em; }
[data-testid="stMetric"] { overflow-wrap: anywhere; }
[data-testid="stSidebar"] [data-testid="stSelectbox"] input { font-size: .82rem; }
:focus-visible { outline: 2px solid #4b8fc0 !important; outline-offset: 2px; }
.asof-tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.2rem, 1fr)); gap: 1px; margin: 0;
  border: 1px solid var(--asof-line); border-radius: .6rem; overflow: hidden; }
.asof-tile { padding: .7rem .9rem; box-shadow: 0 0 0 1px var(--asof-line); display: flex; flex-direction: column; }
.asof-tile small { font-size: .82rem; opacity: .8; line-height: 1.4; }
.asof-tile strong { font-size: 1.25rem; font-weight: 650; letter-spacing: -.02em; line-height: 1.35; }
[data-testid="stNumberInputStepUp"], [data-testid="stNumberInputStepDown"] { display: none; }
.asof-scale { display: flex; flex-wrap: wrap; gap: .2rem 1rem; list-style: none; margin: 0;
  padding: 0 !important;
  font-size: .85rem; }
.asof-scale li { display: flex; align-items: center; gap: .4rem; margin: 0; }
[data-testid="stDeckGlJsonChart"] { border: 1px solid var(--asof-line); border-radius: .6rem; overflow: hidden; }
.asof-scale i { width: 1rem; height: .8rem; border-radius: .15rem; border: 1px solid rgba(90, 98, 106, .45); }
:root { --asof-line: rgba(120, 120, 115, .3); }
[data-testid="stCaptionContainer"] { opacity: .82; color: inherit !important; }
[data-testid="stCaptionContainer"] * { color: inherit !important; }
@media (prefers-color-scheme: dark) {
  [data-testid^="stBaseButton-primary"] * { color: #14181b !important; }
}
@media (max-width: 640px) {
  [data-testid="stMainBlockContainer"] { padding-left: 1rem; padding-right: 1rem; }
}
</style>
"""


@dataclass(frozen=True)
class View:
    """A view of the page: a module of this package with ``show(sight)``."""

    name: str
    title: str
    needs: str = ""
    """Property of the sight without which there is nothing to show."""


VIEWS = {
    "Ask": (
        View("map", "Map", needs="mapped"),
        View("case", "One case"),
        View("line", "Along a line", needs="outlined"),
        View("table", "A table"),
    ),
    "Judge": (
        View("leaderboard", "Leaderboard"),
        View("quality", "Data quality"),
        View("drift", "Drift and error"),
        View("audit", "Audit"),
    ),
}
"""All views by what they are for."""


@st.cache_resource(show_spinner=False)
def _workspace(opening: Opening) -> Workspace:
    return sights.open_workspace(opening)


@st.cache_resource(ttl=FRESH, show_spinner=False)
def _choices(opening: Opening) -> tuple[list[Choice], int]:
    """Releases, and which one is shown first: read together, for a champion may come in between."""
    workspace = _workspace(opening)
    offered = sights.choices(workspace, opening.release)
    return offered, sights.first(workspace, offered, opening.release)


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _sight(opening: Opening, name: str, _choice: Choice, champion: str) -> Sight:
    """Open a release; it is read anew when another becomes champion."""
    del name, champion
    return sights.open_sight(_workspace(opening), _choice)


@st.cache_resource(ttl=FRESH, show_spinner=False)
def _renewed(name: str, _sight: Sight) -> str:
    """Take up newer data, at most every few seconds; only where data are open. Tells why that failed, if it did."""
    if "desk" not in vars(_sight):
        return ""
    _sight.desk.renew()
    return f"{name} answers from older data: {_sight.desk.trouble}" if _sight.desk.trouble else ""


def choose(opening: Opening) -> Sight:
    """Let the reader choose a release, in the sidebar, and open it."""
    workspace = _workspace(opening)
    offered, begun = _choices(opening)
    by_name = {choice.name: choice for choice in offered}
    with st.sidebar:
        st.markdown(f"**{legends.plain(workspace.spec.name)}**")
        name = st.selectbox(
            "Release", list(by_name), index=begun, format_func=lambda one: by_name[one].label, key="release"
        )
    champion = next((c.name for c in offered if c.record is not None and "champion" in c.record.aliases), "")
    sight = _sight(opening, name, by_name[name], champion)
    with st.sidebar:
        about = sight.release.facts.get("about", "")
        st.caption(legends.plain(f"Predicts {about}." if about else sight.release.name))
        if not sight.is_champion and sight.champion is not None:
            st.caption(f"Not the champion: that is version {sight.champion.version}.")
    trouble = _renewed(name, sight)
    if trouble:
        st.warning(legends.plain(trouble))
    return sight


def guarded(work: Callable[[], None]) -> None:
    """Do ``work``; what is wrong is told in plain words where it happens."""
    try:
        work()
    except AsofError as fault:
        for line in str(fault).splitlines():
            st.error(legends.plain(line))


def _show(view: View, sight: Sight) -> None:
    st.title(view.title, anchor=False)
    guarded(functools.partial(importlib.import_module(f"asof.ui.{view.name}").show, sight))


def _page(view: View, sight: Sight, *, first: bool = False, hidden: bool = False) -> StreamlitPage:
    return st.Page(
        functools.partial(_show, view, sight),
        title=view.title,
        url_path="" if first else view.name,
        default=first,
        visibility="hidden" if hidden else "visible",
    )


def main(opening: Opening) -> None:
    """Lay out the page."""
    st.set_page_config(
        page_title=f"asof {opening.project}", page_icon=ICON, layout="wide", initial_sidebar_state="auto"
    )
    st.html(STYLE)

    def lay_out() -> None:
        sight = choose(opening)
        shown = {
            part: [view for view in views if not view.needs or getattr(sight, view.needs)]
            for part, views in VIEWS.items()
        }
        first = next(view for views in shown.values() for view in views)
        pages = {part: [_page(view, sight, first=view is first) for view in views] for part, views in shown.items()}
        # The first view has the bare address; its name leads there as well.
        pages[next(iter(pages))].append(_page(first, sight, hidden=True))
        st.navigation(pages).run()

    guarded(lay_out)


if __name__ == "__main__":
    main(Opening.read(sys.argv[1]))
