"""Commands that answer questions with a released model."""

from pathlib import Path
from typing import Annotated

import typer

from asof.cli.base import Common, ReleaseOption, present, verb


@verb("wait")
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
    present(predicting.predict(common.open(), asked, out), as_json=common.as_json, view=terminal.show_predict)
