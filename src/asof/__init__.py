"""Asof: tables of what happened, where and when, into predictions that can be trusted.

A project with the verbs of the command line, frames in and frames out, and the decorators for plug-ins::

    import asof

    project = asof.Project.open("examples/collisions")
    release = project.run()
    release.skill, release.predict()

``open_project`` and the functions beside it are the flows below: a workspace in, the plain object of ``--json`` out.
Names are loaded on first use, so that ``import asof`` stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asof.errors import AsofError, Busy, DataError, OutsideError, ProjectError, Refused, UserError
    from asof.flows.backtesting import Span, backtest
    from asof.flows.checking import check
    from asof.flows.intake import ingest
    from asof.flows.predicting import Asked, predict
    from asof.flows.records import report, runs
    from asof.flows.running import audit_project, promote_release, run, train
    from asof.flows.workspace import Workspace
    from asof.plugins import encoder, estimator, lookup, metric
    from asof.python import Project, Release, bars, lines
    from asof.verbs import open_project

__version__ = "0.1.0"

__all__ = [
    "Asked",
    "AsofError",
    "Busy",
    "DataError",
    "OutsideError",
    "Project",
    "ProjectError",
    "Refused",
    "Release",
    "Span",
    "UserError",
    "Workspace",
    "audit_project",
    "backtest",
    "bars",
    "check",
    "encoder",
    "estimator",
    "ingest",
    "lines",
    "lookup",
    "metric",
    "open_project",
    "predict",
    "promote_release",
    "report",
    "run",
    "runs",
    "train",
]

_ROOMS = {
    "asof.errors": ("AsofError", "Busy", "DataError", "OutsideError", "ProjectError", "Refused", "UserError"),
    "asof.flows.backtesting": ("Span", "backtest"),
    "asof.flows.checking": ("check",),
    "asof.flows.predicting": ("Asked", "predict"),
    "asof.flows.records": ("report", "runs"),
    "asof.flows.intake": ("ingest",),
    "asof.flows.running": ("audit_project", "promote_release", "run", "train"),
    "asof.flows.workspace": ("Workspace",),
    "asof.plugins": ("encoder", "estimator", "lookup", "metric"),
    "asof.python": ("Project", "Release", "bars", "lines"),
    "asof.verbs": ("open_project",),
}


def __getattr__(name: str) -> Any:
    """Load ``name`` from its room on first use."""
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(room), name)
    message = f"module 'asof' has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    """List the front door."""
    return sorted([*__all__, "__version__"])
