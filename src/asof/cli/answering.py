"""Commands that answer questions with a released model."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from asof.cli.base import Common, ReleaseOption, present, verb


@verb("wait")
def predict(
    common: Common,
    input_: Annotated[Path | None, typer.Option("--input", metavar="FILE", help="Rows to answer, in order.")] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            metavar="FILE|TABLE",
            help="Parquet, CSV or JSON, or postgresql://user@host/database#table, sqlite:///file.db#table; "
            "default: beside the release.",
        ),
    ] = None,
    start: Annotated[str | None, typer.Option("--start", help="First local day or moment to answer.")] = None,
    end: Annotated[str | None, typer.Option("--end", help="Last, exclusive.")] = None,
    location: Annotated[
        str | None, typer.Option("--location", help="Only this place; or the location of the whole project.")
    ] = None,
    release: ReleaseOption = "champion",
) -> None:
    """Answer the next periods, a range, or a file of rows with a released model."""
    from asof import terminal
    from asof.flows import predicting

    asked = predicting.Asked(input=input_, start=start, end=end, location=location, release=release)
    present(predicting.predict(common.open(), asked, out), as_json=common.as_json, view=terminal.show_predict)


@verb("wait")
def serve(
    common: Common,
    host: Annotated[str, typer.Option("--host", help="Address to listen on; 0.0.0.0 is all of this machine's.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0: a free one.")] = 8080,
    keys: Annotated[
        Path | None, typer.Option("--keys", metavar="FILE", help="Only who has a key of this file may ask.")
    ] = None,
    new_key: Annotated[
        str | None, typer.Option("--new-key", metavar="NAME", help="Add a key to that file, show it once, and end.")
    ] = None,
    release: ReleaseOption = "champion",
) -> None:
    """Answer questions over HTTP with a released model, until stopped."""
    from asof import verbs
    from asof.api import Settings
    from asof.api import keys as keyring
    from asof.errors import UserError

    if new_key is not None:
        if keys is None:
            message = "--new-key needs --keys FILE: where its hash is kept"
            raise UserError(message)
        sys.stdout.write(keyring.add(keys, new_key) + "\n")
        return
    from asof.api import serving
    from asof.flows.logbook import Logbook
    from asof.flows.serving import Desk

    workspace = common.open()
    known = keyring.read(keys) if keys is not None else {}
    logbook = Logbook(workspace) if workspace.spec.watch.keep else None
    settings = Settings(keys=known, guides=verbs.guides(workspace), logbook=logbook)
    desk = Desk(workspace, release)
    with serving.lean(workspace):
        standing = desk.open()

    def ready(at: int) -> None:
        address = f"http://{host}:{at}"
        told = {"project": desk.workspace.spec.name, "release": standing.oracle.release.name, "address": address}
        if common.as_json:
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()
        else:
            sys.stderr.write(f"{told['release']} answers on {address} (its routes: {address}/openapi.json)\n")

    serving.serve(desk, settings, host=host, port=port, ready=ready)


@verb()
def ui(
    common: Common,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port of the page; 0: a free one.")] = 8501,
    release: ReleaseOption = "champion",
) -> None:
    """Show the project and a released model as a page in a browser, on this machine alone, until stopped."""
    from asof.ui import launching
    from asof.ui.sights import Opening

    opening = Opening(common.project, common.env, tuple(common.set_ or ()), release)

    def ready(told: Mapping[str, str]) -> None:
        if common.as_json:
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()
        else:
            sys.stderr.write(f"{told['release']}: {told['address']} (interrupt to stop)\n")

    launching.serve(opening, port=port, ready=ready)
