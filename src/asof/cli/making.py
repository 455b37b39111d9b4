"""Commands that make a model: from a first page to a champion."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from asof.cli.base import Common, JsonOption, WaitOption, app, open_project, present, stopped_by_signals, verb

CutOption = Annotated[
    str | None, typer.Option("--cut", metavar="DATE", help="First local day of the holdout: judge.holdout as a day.")
]


def _cut(common: Common, cut: str | None) -> Common:
    """Return the same options, with the day on which the holdout begins."""
    return replace(common, set_=[*(common.set_ or ()), f"judge.holdout={cut}"]) if cut else common


@verb("plan", "model", "param", "as_of", "force", "wait")
def run(common: Common, cut: CutOption = None) -> None:
    """Ingest, check, train, audit, promote and predict."""
    from asof import terminal
    from asof.flows import running

    present(running.run(_cut(common, cut).open(), plan=common.plan), as_json=common.as_json, view=terminal.show_run)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to put the example project.")] = Path(
        "asof-demo"
    ),
    wait: WaitOption = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Run the main job on the bundled extract: collisions in New York, zone by day."""
    from asof import terminal, verbs
    from asof.flows import running

    verbs.copy_example("collisions", folder)
    present(running.run(open_project(str(folder), wait=wait)), as_json=as_json, view=terminal.show_run)


@app.command()
def init(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A table: CSV, JSON or Parquet; with a schedule a project.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Where to write; default: project.yaml beside the table.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the project.")] = None,
    show: Annotated[bool, typer.Option("--show", help="Print it, write nothing.")] = False,
    github: Annotated[
        bool, typer.Option("--github", help="Write a workflow of GitHub Actions that retrains the project FILE.")
    ] = False,
    cron: Annotated[bool, typer.Option("--cron", help="Print a line for cron that retrains the project FILE.")] = False,
    dagster: Annotated[
        bool, typer.Option("--dagster", help="Write definitions.py for Dagster beside the project FILE.")
    ] = False,
) -> None:
    """Propose a project file from a table; or a schedule for a project."""
    if github or cron or dagster:
        from asof import schedules

        writers = [(github, schedules.write_workflow), (dagster, schedules.write_definitions)]
        for made, new in [write(file) for wanted, write in writers if wanted]:
            sys.stderr.write(f"wrote {made}\n" if new else f"{made} is as it should be\n")
        if cron:
            sys.stdout.write(schedules.cron_line(file) + "\n")
        return
    from asof import proposals

    target = out or file.parent / "project.yaml"
    text = proposals.propose(file, name=name, folder=target.parent)
    if show:
        sys.stdout.write(text)
        return
    proposals.write(target, text)
    sys.stderr.write(f"wrote {target}; read it, then: asof check {target}\n")


@verb("as_of")
def check(
    common: Common,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of project files.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print every setting and where it came from.")] = False,
) -> None:
    """Check the project file and the data: a profile of each source, and the findings."""
    from asof import terminal, verbs

    if schema:
        sys.stdout.write(json.dumps(verbs.schema(), indent=2) + "\n")
        return
    if show:
        rows = verbs.settings(common.project, environment=common.env, overrides=common.set_ or ())
        present({"settings": rows}, as_json=common.as_json, view=terminal.show_settings)
        return
    from asof.flows import checking

    present(checking.check(common.open()), as_json=common.as_json, view=terminal.show_check)


@verb("force", "wait")
def ingest(
    common: Common,
    source: Annotated[list[str] | None, typer.Option("--source", help="Only this source; repeatable.")] = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="Judge the rows kept so far again, without reading the source.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on with files as they come, until Ctrl-C (extra watch).")
    ] = False,
) -> None:
    """Read what is new, validate it, keep it."""
    if watch and replay:
        raise typer.BadParameter("--watch reads what comes, --replay reads nothing: choose one of them")
    if watch:
        _watch(common, source or ())
        return
    from asof import terminal
    from asof.flows import intake

    done = intake.ingest(common.open(), only=source or (), replay=replay)
    present(done, as_json=common.as_json, view=terminal.show_ingest)


def _watch(common: Common, only: Sequence[str]) -> None:
    """Take in files as they come until a signal ends it; what came of each ingest is shown at once."""
    from asof import terminal
    from asof.adapters import watches
    from asof.flows import arrivals

    workspace = common.open()
    folders: dict[Path, bool] = {}
    for one in arrivals.entrances_of(workspace, only):
        folders |= one.reader.folders()

    def report(told: Mapping[str, Any]) -> None:
        present(told, as_json=common.as_json, view=terminal.show_arrival)
        sys.stdout.flush()

    with stopped_by_signals() as stop:
        wakes = watches.wakes(folders, stop)
        sys.stderr.write(f"watching {', '.join(terminal.path(folder) for folder in folders)}; Ctrl-C ends\n")
        sys.stderr.flush()
        arrivals.watch(workspace, wakes, report, only=only)
    sys.stderr.write("stopped\n")


@verb("plan", "model", "param", "as_of", "force", "wait")
def train(common: Common, cut: CutOption = None) -> None:
    """Choose, fit, judge and audit a model on what is kept; register it as challenger."""
    from asof import terminal
    from asof.flows import running

    present(running.train(_cut(common, cut).open(), plan=common.plan), as_json=common.as_json, view=terminal.show_run)
