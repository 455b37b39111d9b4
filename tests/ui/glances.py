"""Sights of released projects, as the views are given them."""

from pathlib import Path

import polars as pl

from asof.ui import sights
from asof.ui.sights import Opening, Sight
from tests.flows import houses

WRONG = {"sold": (2, "someday"), "area": (4, "99999")}
"""Cells that refuse their rows: by column, the row and what stands there."""


def of(folder: Path) -> Sight:
    """The champion of a project."""
    workspace = sights.open_workspace(Opening(str(folder)))
    offered = sights.choices(workspace, "champion")
    return sights.open_sight(workspace, offered[sights.first(workspace, offered, "champion")])


def sales() -> pl.DataFrame:
    """Houses, the last 20 not yet sold; one with a day that cannot be read, one larger than can be."""
    rows = houses.sales().cast(pl.String)
    for column, (row, text) in WRONG.items():
        rows = rows.with_columns(
            pl.when(pl.int_range(pl.len()) == row).then(pl.lit(text)).otherwise(column).alias(column)
        )
    return rows


def make(folder: Path) -> Path:
    """Write the project of these houses; returns its folder."""
    project = houses.HOUSES.replace(
        "    place: town\n", "    place: town\n    checks: {area: {between: [1, 5000]}}\n", 1
    )
    return houses.make(folder, project, sales=sales())
