"""Commands that keep a model good while data come in."""

from pathlib import Path
from typing import Annotated

import typer

from asof.cli.base import Common, ReleaseOption, present, verb


@verb("force", "wait")
def retrain(common: Common) -> None:
    """Take in what is new; if anything is, train, audit, compare, promote or keep."""
    from asof import terminal
    from asof.flows import retraining

    present(retraining.retrain(common.open()), as_json=common.as_json, view=terminal.show_retrain)


@verb("wait")
def watch(
    common: Common,
    release: ReleaseOption = "champion",
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Look at what was asked from then on; else 28 days.")
    ] = None,
    rate: Annotated[
        float, typer.Option("--rate", metavar="SHARE", help="False alarms a look, all tests together.")
    ] = 0.01,
    metrics: Annotated[
        Path | None, typer.Option("--metrics", metavar="FILE", help="Write figures as Prometheus reads them.")
    ] = None,
    evidently: Annotated[
        Path | None, typer.Option("--evidently", metavar="FILE", help="Write a page of Evidently; needs asof[drift].")
    ] = None,
) -> None:
    """Hold what is served against what was learnt and promised; exit 1 when something alarms."""
    from asof import monitoring, terminal, verbs
    from asof.flows import watching

    workspace = common.open()
    draw = None if evidently is None else verbs.drift_page(evidently)
    told = watching.watch(workspace, watching.Wish(release, since, rate), draw)
    if metrics is not None:
        watching.write_figures(told, metrics, workspace.now)
    if told["alarms"]:
        told["webhook"] = verbs.notify(workspace, monitoring.notice(told))
    present(told, as_json=common.as_json, view=terminal.show_watch)
