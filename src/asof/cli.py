"""The command line: options, exit codes, and what a person sees.

Nothing heavy is imported here: a command imports what it needs when it runs, so that
``asof --help`` answers at once. Results go to standard output, everything else to standard error.
"""

import functools
import inspect
import json
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asof.errors import AsofError

if TYPE_CHECKING:
    from asof.flows.workspace import Workspace

app = typer.Typer(
    name="asof",
    help="Tables of what happened, where and when, into predictions that can be trusted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


INTERRUPTED = 130
"""Exit code after an interrupt from the keyboard, as shells have it."""


class Settings:
    """What the flags say that every command shares; set once by the root callback."""

    verbose: bool = False


ProjectArgument = Annotated[str, typer.Argument(metavar="PROJECT", help="Folder, YAML file or s3:// address.")]
JsonOption = Annotated[bool, typer.Option("--json", help="End with one JSON object on standard output.")]
WaitOption = Annotated[
    float, typer.Option("--wait", metavar="SECONDS", min=0, help="How long to wait for another run of the project.")
]
ReleaseOption = Annotated[
    str,
    typer.Option("--release", metavar="WHICH", help="champion, challenger, a version, a folder or an s3:// address."),
]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code (0 done, 1 refused, 2 wrong use or bad input, 3 outside)."""
    try:
        app(args=list(arguments) if arguments is not None else None, prog_name="asof", standalone_mode=True)
    except SystemExit as stop:  # Typer's way to end, also on an interrupt
        code = stop.code if isinstance(stop.code, int) else 2 if stop.code else 0
        if code == INTERRUPTED:
            sys.stderr.write("asof: interrupted; nothing half-written is kept\n")
        return code
    except AsofError as error:
        if Settings.verbose:
            traceback.print_exc()
        for line in str(error).splitlines() or [type(error).__name__]:
            sys.stderr.write(f"asof: {line}\n")
        return error.exit_code
    except Exception as fault:  # noqa: BLE001 - the door: whatever reaches it ends in one line
        if Settings.verbose:
            traceback.print_exc()
        said = " ".join(f"{type(fault).__name__}: {fault}".split())
        sys.stderr.write(f"asof: a fault of this program, not of yours: {said} (--verbose shows where)\n")
        return 3
    return 0


def run_script() -> None:
    """Entry point of the ``asof`` script."""
    sys.exit(main())


def _version(value: bool) -> None:
    if value:
        from asof import __version__

        sys.stdout.write(f"asof {__version__}\n")
        raise typer.Exit


@app.callback()
def root(
    verbose: Annotated[bool, typer.Option("--verbose", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Tables of what happened, where and when, into predictions that can be trusted."""
    del version
    Settings.verbose = verbose


@dataclass(frozen=True)
class Common:
    """What verbs on a project have in common: each field is an argument or option, declared here alone."""

    project: ProjectArgument = "."
    env: Annotated[
        str | None, typer.Option("--env", metavar="NAME", help="Overlay environments.NAME of the project file.")
    ] = None
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=C", help="Overlay one setting; repeatable.")
    ] = None
    plan: Annotated[
        Path | None, typer.Option("--plan", metavar="FILE", help="Replay this plan instead of searching.")
    ] = None
    force: Annotated[bool, typer.Option("--force", help="Repeat stages whose inputs have not changed.")] = False
    wait: WaitOption = 0.0
    as_json: JsonOption = False

    def open(self) -> "Workspace":
        """Read the project file, and join it to its adapters."""
        return _open(self.project, environment=self.env, overrides=self.set_ or (), force=self.force, wait=self.wait)


def _verb(*more: str, project: Any = ".") -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a verb that works on a project: ``verb(common, …)`` with options of its own.

    Every verb has the fields ``project``, ``env``, ``set_`` and ``as_json`` of ``Common``; ``more`` names others.
    ``project`` is the default of the first, ``inspect.Parameter.empty`` for none.
    """
    shared = [field.name for field in fields(Common) if field.name in {"project", "env", "set_", "as_json", *more}]

    def register(verb: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(verb)
        def call(**given: Any) -> None:
            verb(Common(**{name: given.pop(name) for name in shared}), **given)

        common = inspect.signature(Common).parameters
        first = common["project"].replace(default=project)
        own = [*inspect.signature(verb).parameters.values()][1:]
        rest = [common[name] for name in shared if name != "project"]
        parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (first, *own, *rest)]
        call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        call.__annotations__ = {one.name: one.annotation for one in parameters}
        app.command()(call)
        return verb

    return register


def _open(address: str, **settings: Any) -> "Workspace":
    from asof import terminal, verbs

    return verbs.open_project(address, progress=terminal.progress(), **settings)


def _show(result: Mapping[str, Any], *, as_json: bool, view: Callable[[Mapping[str, Any]], None]) -> None:
    """Print ``result`` for a machine or a person; exit 1 when it says that something was refused."""
    if as_json:
        view_stream = json.dumps(result, default=str, allow_nan=False)
        sys.stdout.write(view_stream + "\n")
    else:
        view(result)
    if result.get("refused"):
        raise typer.Exit(1)


@_verb("plan", "force", "wait")
def run(common: Common) -> None:
    """Ingest, check, train, audit, promote and predict."""
    from asof import terminal
    from asof.flows import running

    _show(running.run(common.open(), plan=common.plan), as_json=common.as_json, view=terminal.show_run)


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
    _show(running.run(_open(str(folder), wait=wait)), as_json=as_json, view=terminal.show_run)


@app.command()
def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A table: CSV, JSON or Parquet.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Where to write; default: project.yaml beside the table.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the project.")] = None,
    show: Annotated[bool, typer.Option("--show", help="Print it, write nothing.")] = False,
) -> None:
    """Propose a project file from a table."""
    from asof import proposals

    target = out or file.parent / "project.yaml"
    text = proposals.propose(file, name=name, folder=target.parent)
    if show:
        sys.stdout.write(text)
        return
    proposals.write(target, text)
    sys.stderr.write(f"wrote {target}; read it, then: asof check {target}\n")


@_verb()
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
        _show({"settings": rows}, as_json=common.as_json, view=terminal.show_settings)
        return
    from asof.flows import checking

    _show(checking.check(common.open()), as_json=common.as_json, view=terminal.show_check)


@_verb("force", "wait")
def ingest(
    common: Common,
    source: Annotated[list[str] | None, typer.Option("--source", help="Only this source; repeatable.")] = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="Judge the rows kept so far again, without reading the source.")
    ] = False,
) -> None:
    """Read what is new, validate it, keep it."""
    from asof import terminal
    from asof.flows import intake

    done = intake.ingest(common.open(), only=source or (), replay=replay)
    _show(done, as_json=common.as_json, view=terminal.show_ingest)


@_verb("plan", "force", "wait")
def train(common: Common) -> None:
    """Choose, fit, judge and audit a model on what is kept; register it as challenger."""
    from asof import terminal
    from asof.flows import running

    _show(running.train(common.open(), plan=common.plan), as_json=common.as_json, view=terminal.show_run)


@_verb("wait")
def audit(
    common: Common,
    full: Annotated[bool, typer.Option("--full", help="Repeat the whole selection, and try more cuts.")] = False,
) -> None:
    """Prove that features and model are as of the moment of prediction; exit 1 when not."""
    from asof import terminal
    from asof.flows import running

    _show(running.audit_project(common.open(), full=full), as_json=common.as_json, view=terminal.show_audit)


@_verb("plan", "wait", project=inspect.Parameter.empty)
def backtest(
    common: Common,
    cut: Annotated[str, typer.Option("--cut", metavar="T", help="Learn what was known at this moment (local).")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Parquet or CSV; one row a question.")],
    since: Annotated[str | None, typer.Option("--since", metavar="S", help="Learn from periods from S on.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="U", help="Answer questions asked before U.")] = None,
    refit: Annotated[
        str | None, typer.Option("--refit", metavar="STEP", help="Fit again every STEP, such as 28d.")
    ] = None,
) -> None:
    """Learn what was known at T, then answer every later question as of its own moment."""
    from asof import terminal
    from asof.flows import backtesting

    span = backtesting.Span(cut=cut, since=since, until=until, refit=refit)
    told = backtesting.backtest(common.open(), span, out, plan=common.plan)
    _show(told, as_json=common.as_json, view=terminal.show_backtest)


@_verb("wait")
def predict(
    common: Common,
    input_: Annotated[Path | None, typer.Option("--input", metavar="FILE", help="Rows to answer, in order.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Parquet or CSV; default: beside the release.")
    ] = None,
    start: Annotated[str | None, typer.Option("--start", help="First local day or moment to answer.")] = None,
    end: Annotated[str | None, typer.Option("--end", help="Last, exclusive.")] = None,
    location: Annotated[str | None, typer.Option("--location", help="Only this place.")] = None,
    release: ReleaseOption = "champion",
) -> None:
    """Answer the next periods, a range, or a file of rows with a released model."""
    from asof import terminal
    from asof.flows import predicting

    asked = predicting.Asked(input=input_, start=start, end=end, location=location, release=release)
    _show(predicting.predict(common.open(), asked, out), as_json=common.as_json, view=terminal.show_predict)


@_verb()
def report(
    common: Common,
    release: ReleaseOption = "champion",
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Copy the page here.")] = None,
) -> None:
    """Say where the page of a release is, or copy it."""
    from asof import terminal
    from asof.flows import records

    _show(records.report(common.open(), release, out), as_json=common.as_json, view=terminal.show_report)


@_verb()
def runs(
    common: Common,
    ui: Annotated[bool, typer.Option("--ui", help="Show MLflow's own page instead (extra mlflow-ui).")] = False,
    port: Annotated[int, typer.Option("--port", help="Port of that page.")] = 5000,
) -> None:
    """List releases and decisions, newest first."""
    from asof import terminal, verbs

    if ui:
        verbs.show_tracking(common.project, port, environment=common.env, overrides=common.set_ or ())
        return
    from asof.flows import records

    _show(records.runs(common.open()), as_json=common.as_json, view=terminal.show_runs)


@_verb("wait")
def promote(common: Common, release: ReleaseOption = "challenger") -> None:
    """Make a release the champion if rules, audit and the paired comparison allow it."""
    from asof import terminal
    from asof.flows import running

    told = running.promote_release(common.open(), release)
    _show(told, as_json=common.as_json, view=terminal.show_promotion)


@app.command()
def doctor(
    project: ProjectArgument = "",
    as_json: JsonOption = False,
) -> None:
    """Say what works on this machine: versions, extras, threads, store, lock."""
    from asof import terminal, verbs

    _show(verbs.examine(project), as_json=as_json, view=terminal.show_doctor)
