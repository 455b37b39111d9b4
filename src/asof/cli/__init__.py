"""The command line: options, exit codes, and what a person sees.

Nothing heavy is imported here: a command imports what it needs when it runs, so that
``asof --help`` answers at once. Results go to standard output, everything else to standard error.
"""

import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import Annotated

import typer

from asof.cli.base import Settings, app
from asof.errors import AsofError

# isort: off
# Help lists the commands in the order of these rooms.
from asof.cli import making, judging, answering, keeping, records  # noqa: F401

# isort: on

INTERRUPTED = 130
"""Exit code after an interrupt from the keyboard, as shells have it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code (0 done, 1 refused, 2 wrong use or bad input, 3 outside)."""
    try:
        app(args=list(arguments) if arguments is not None else None, prog_name="asof", standalone_mode=True)
    except SystemExit as stop:  # Typer's way to end, also on an interrupt
        code = stop.code if isinstance(stop.code, int) else 2 if stop.code else 0
        return _told_interrupted() if code == INTERRUPTED else code
    except AsofError as error:
        if Settings.verbose:
            traceback.print_exc()
        if Settings.interrupted:
            return _told_interrupted()
        for line in str(error).splitlines() or [type(error).__name__]:
            sys.stderr.write(f"asof: {line}\n")
        return error.exit_code
    except Exception as fault:  # noqa: BLE001 - the door: whatever reaches it ends in one line
        if Settings.verbose:
            traceback.print_exc()
        if Settings.interrupted:
            return _told_interrupted()
        from asof import plugins

        theirs = plugins.blamed(fault)
        if theirs is not None:
            sys.stderr.write(f"asof: {' '.join(str(theirs).split())}\n")
            return theirs.exit_code
        said = " ".join(f"{type(fault).__name__}: {fault}".split())
        sys.stderr.write(f"asof: a fault of this program, not of yours: {said} (--verbose shows where)\n")
        return 3
    return 0


def run_script() -> None:
    """Entry point of the ``asof`` script."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else whoever started it wants none
        signal.signal(signal.SIGINT, _interrupt)
    sys.exit(main())


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Remember it: a library that was interrupted may say that it failed."""
    Settings.interrupted = True
    signal.default_int_handler(number, frame)


def _told_interrupted() -> int:
    sys.stderr.write("asof: interrupted; nothing half-written is kept\n")
    return INTERRUPTED


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
