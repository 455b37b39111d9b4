"""The Python door: a project in a notebook or a script, with frames in and frames out; see ``docs/python.md``."""

from asof.python.pictures import Picture, bars, lines
from asof.python.projects import Project
from asof.python.released import Release
from asof.python.results import Audit, Backtest, Check, Comparison, Fold, Intake, Report, Training

__all__ = [
    "Audit",
    "Backtest",
    "Check",
    "Comparison",
    "Fold",
    "Intake",
    "Picture",
    "Project",
    "Release",
    "Report",
    "Training",
    "bars",
    "lines",
]
