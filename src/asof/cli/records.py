"""Commands that tell what was done and what there is."""

from pathlib import Path
from typing import Annotated

import typer

from asof.cli.base import Common, JsonOption, ProjectArgument, ReleaseOption, app, present, verb


@verb()
def report(
    common: Common,
    release: ReleaseOption = "champion",
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Copy the page here.")] = None,
) -> None:
    """Say where the page of a release is, or copy it."""
    from asof import terminal
    from asof.flows import records

    present(records.report(common.open(), release, out), as_json=common.as_json, view=terminal.show_report)


@verb()
def runs(
    common: Common,
    ui: Annotated[bool, typer.Option("--ui", help="Show MLflow's own page instead (extra mlflow-ui).")] = False,
    port: Annotated[int, typer.Option("--port", help="Port of that page.")] = 5000,
    at: Annotated[
        str | None, typer.Option("--at", metavar="T", help="Say which release was champion on this day or moment.")
    ] = None,
) -> None:
    """List releases and decisions, newest first."""
    from asof import terminal, verbs

    if ui:
        verbs.show_tracking(common.project, port, environment=common.env, overrides=common.set_ or ())
        return
    from asof.flows import history, records

    if at is not None:
        present(history.answering(common.open(), at), as_json=common.as_json, view=terminal.show_champion)
        return
    present(records.runs(common.open()), as_json=common.as_json, view=terminal.show_runs)


@verb("wait")
def promote(common: Common, release: ReleaseOption = "challenger") -> None:
    """Make a release the champion if rules, audit and the paired comparison allow it."""
    from asof import terminal
    from asof.flows import running

    told = running.promote_release(common.open(), release)
    present(told, as_json=common.as_json, view=terminal.show_promotion)


@verb("wait")
def rollback(
    common: Common,
    release: Annotated[
        str | None, typer.Option("--release", metavar="WHICH", help="Which; default: the champion before this one.")
    ] = None,
) -> None:
    """Make an earlier champion the champion again; nothing is removed."""
    from asof import terminal
    from asof.flows import history

    present(history.roll_back(common.open(), release), as_json=common.as_json, view=terminal.show_promotion)


@app.command()
def doctor(
    project: ProjectArgument = "",
    as_json: JsonOption = False,
) -> None:
    """Say what works on this machine: versions, extras, threads, store, lock."""
    from asof import terminal, verbs

    present(verbs.examine(project), as_json=as_json, view=terminal.show_doctor)
