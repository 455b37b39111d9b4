"""What the commands share: the options of verbs on a project, and how a result is shown."""

import contextlib
import functools
import inspect
import json
import math
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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


class Settings:
    """What the flags say that every command shares, set by the root callback; and whether the keyboard interrupted."""

    verbose: bool = False
    interrupted: bool = False


ProjectArgument = Annotated[str, typer.Argument(metavar="PROJECT", help="Folder, YAML file or s3:// address.")]
JsonOption = Annotated[bool, typer.Option("--json", help="End with one JSON object on standard output.")]


def _seconds(written: str | float) -> float:
    """Read a length of time: such as ``30s`` or ``5m``, or a number of seconds."""
    try:
        count = float(written)
    except ValueError:
        from asof.errors import UserError
        from asof.times import Step

        try:
            return Step.parse(str(written)).nominal.total_seconds()
        except UserError as fault:
            message = f"{fault}; or a number of seconds"
            raise typer.BadParameter(message) from None
    if not 0 <= count < math.inf:
        message = f"{written!r} is no length of time: expected one such as 30s or 5m, or a number of seconds from 0 on"
        raise typer.BadParameter(message)
    return count


WaitOption = Annotated[
    float,
    typer.Option(
        "--wait", metavar="LENGTH", parser=_seconds, help="How long to wait for another run of the project: 30s, 5m."
    ),
]
ReleaseOption = Annotated[
    str,
    typer.Option("--release", metavar="WHICH", help="champion, challenger, a version, a folder or an s3:// address."),
]


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
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="Make this model, whatever else would do better.")
    ] = None
    param: Annotated[
        list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="Parameter of the model; repeatable.")
    ] = None
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="T", help="Use the rows as they were known on that day or moment (local)."),
    ] = None
    force: Annotated[bool, typer.Option("--force", help="Repeat stages whose inputs have not changed.")] = False
    wait: WaitOption = 0.0
    as_json: JsonOption = False

    def open(self) -> "Workspace":
        """Read the project file, and join it to its adapters; what was said of the model overlays it."""
        if self.plan is not None and (self.model or self.param):
            raise typer.BadParameter("a plan says which models are tried: leave out --plan, or --model and --param")
        said = [f"train.model={self.model}"] if self.model else []
        said += [f"train.params.{one}" for one in self.param or ()]
        overrides = [*(self.set_ or ()), *said]
        more = {"force": self.force, "wait": self.wait, "as_of": self.as_of}
        return open_project(self.project, environment=self.env, overrides=overrides, **more)


def verb(*more: str, project: Any = ".") -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a verb that works on a project: ``verb(common, …)`` with options of its own.

    Every verb has the fields ``project``, ``env``, ``set_`` and ``as_json`` of ``Common``; ``more`` names others.
    ``project`` is the default of the first, ``inspect.Parameter.empty`` for none.
    """
    shared = [field.name for field in fields(Common) if field.name in {"project", "env", "set_", "as_json", *more}]

    def register(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def call(**given: Any) -> None:
            command(Common(**{name: given.pop(name) for name in shared}), **given)

        common = inspect.signature(Common).parameters
        first = common["project"].replace(default=project)
        own = [*inspect.signature(command).parameters.values()][1:]
        rest = [common[name] for name in shared if name != "project"]
        parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (first, *own, *rest)]
        call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        call.__annotations__ = {one.name: one.annotation for one in parameters}
        app.command()(call)
        return command

    return register


def open_project(address: str, **settings: Any) -> "Workspace":
    """Open a project with its progress shown; ``settings`` are those of ``verbs.open_project``."""
    from asof import terminal, verbs

    return verbs.open_project(address, progress=terminal.progress(), **settings)


def present(result: Mapping[str, Any], *, as_json: bool, view: Callable[[Mapping[str, Any]], None]) -> None:
    """Print ``result`` for a machine or a person; exit 1 when it says that something was refused."""
    if as_json:
        view_stream = json.dumps(result, default=str, allow_nan=False)
        sys.stdout.write(view_stream + "\n")
    else:
        view(result)
    if result.get("refused"):
        raise typer.Exit(1)


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C and SIGTERM set, for work that goes on until then; a second Ctrl-C breaks it off."""
    stop = threading.Event()

    def ask(number: int, frame: object) -> None:
        del frame
        stop.set()
        signal.signal(number, before[number])

    before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
