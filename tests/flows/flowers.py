"""A small made-up project of three classes without a time: flowers told by two lengths."""

from pathlib import Path

import numpy as np
import polars as pl

PROJECT = """\
name: flowers
sources:
  found: {files: found.csv, key: id, checks: {code: {type: text}}}
predict:
  classes: found.species
judge: {folds: 3, repeats: 1}
train: {budget: 0s, candidates: [logistic], threads: 1}
"""


def flowers(count: int = 180) -> pl.DataFrame:
    """Three species, a colour, and a code of digits that says nothing; the last six unnamed."""
    draw = np.random.default_rng(3)
    kind = draw.integers(0, 3, count)
    names = pl.Series("species", ["aster", "bluebell", "clover"]).gather(kind)
    return pl.DataFrame(
        {
            "id": [f"f{row}" for row in range(count)],
            "leaf": (2.0 + 1.5 * kind + draw.normal(0, 0.9, count)).round(2),
            "stem": (9.0 - 1.5 * kind + draw.normal(0, 0.9, count)).round(2),
            "colour": draw.choice(["red", "blue", "white"], count),
            "code": draw.choice(["00501", "01002", "10001", "60601"], count),
            "species": pl.select(pl.when(pl.int_range(count) < count - 6).then(names)).to_series(),
        }
    )


def make(folder: Path) -> Path:
    """Write the project and its rows into ``folder``; returns the folder."""
    (folder / "project.yaml").write_text(PROJECT)
    flowers().write_csv(folder / "found.csv")
    return folder
