"""The Python door: a project in a notebook or a script, with frames in and frames out; see ``docs/python.md``."""

from asof.python.projects import Project
from asof.python.released import Release
from asof.python.results import Audit, Backtest, Check, Comparison, Fold, Intake, Report, Training

__all__ = ["Audit", "Backtest", "Check", "Comparison", "Fold", "Intake", "Project", "Release", "Report", "Training"]
